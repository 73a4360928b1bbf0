#include "emulator/schedule.h"

#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string>

#include "emulator/lock.h"

namespace ftwt::emulator {

void Schedule::read_environment() {
  const char* text = std::getenv("FTWT_EMULATOR_SCHEDULE");
  const std::string setting = text ? text : "forward";
  const size_t colon = setting.find(':');
  const std::string name = setting.substr(0, colon);
  const uint64_t seed = colon == std::string::npos ? 0 : std::strtoull(setting.c_str() + colon + 1, nullptr, 10);
  if (name == "forward") {
    set(Order::Forward, seed);
  } else if (name == "reverse") {
    set(Order::Reverse, seed);
  } else if (name == "random") {
    set(Order::Random, seed);
  } else if (name == "depth") {
    set(Order::Depth, seed);
  } else {
    throw std::invalid_argument("FTWT_EMULATOR_SCHEDULE must be forward, reverse, random[:seed] or depth, got " +
                                setting);
  }
}

void Schedule::set(Order order, uint64_t seed) {
  order_ = order;
  state_ = seed;
}

// splitmix64: every seed is a good one.
uint64_t Schedule::random() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

Schedule& schedule() {
  static Schedule instance;
  return instance;
}

void set_schedule(Order order, uint64_t seed) {
  const Lock lock;
  schedule().set(order, seed);
}

void set_schedule_from_environment() {
  const Lock lock;
  schedule().read_environment();
}

Permutation::Permutation(uint64_t count) : count_(count), factor_(1), offset_(0) {
  if (schedule().order() == Order::Reverse) {
    factor_ = count - 1;  // -1: i -> count - 1 - i
    offset_ = count - 1;
  } else if (schedule().order() == Order::Random) {
    do {
      factor_ = 1 + schedule().random() % count;
    } while (std::gcd(factor_, count) != 1);
    offset_ = schedule().random() % count;
  }
}

uint64_t Permutation::operator[](uint64_t i) const {
  const auto wide = static_cast<unsigned __int128>(i) * factor_ + offset_;
  return static_cast<uint64_t>(wide % count_);
}

}  // namespace ftwt::emulator
