// What the emulator says about threads that wait in vain.
#include <cstdio>
#include <cstring>

#include "emulator/block.h"
#include "emulator/report.h"

namespace ftwt::emulator {

std::string hexadecimal(uint32_t mask) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", mask);
  return text;
}

std::string describe(uint3 index) {
  char text[40];
  std::snprintf(text, sizeof text, "(%u,%u,%u)", index.x, index.y, index.z);
  return text;
}

std::string describe(const std::source_location& where) {
  const char* slash = std::strrchr(where.file_name(), '/');
  return std::string(slash ? slash + 1 : where.file_name()) + ":" + std::to_string(where.line());
}

std::string describe(const Site& site) {
  std::string text = std::string(site.what) + " at " + describe(site.where);
  if (site.mask) text += " with mask " + hexadecimal(site.mask);
  return text;
}

namespace {

std::string threads(int count) { return std::to_string(count) + (count == 1 ? " thread" : " threads"); }

}  // namespace

std::string Block::stuck_report() const {
  struct Place {
    Site site;
    int count;
    const Thread* first;
  };
  std::vector<Place> places;
  for (int i = 0; i < size_; ++i) {
    const Thread& thread = threads_[i];
    if (thread.state != Thread::State::Waiting) continue;
    size_t p = 0;
    while (p < places.size() && !(places[p].site == thread.site)) ++p;
    if (p == places.size()) places.push_back({thread.site, 0, &thread});
    ++places[p].count;
  }
  bool barrier = false;
  std::string text;
  for (const Place& place : places) {
    barrier = barrier || place.site.mask == 0;
    text +=
        "; " + threads(place.count) + " at " + describe(place.site) + ", the first is " + describe(place.first->index);
    if (place.site.mask) text += missing_lanes(*place.first);
  }
  if (finished_ > 0) text += "; " + threads(finished_) + " finished";
  return std::string(barrier ? "divergent barrier" : "divergent warp collective") + " in block " +
         describe(position.block_index) + " of " + threads(size_) + text;
}

// Why the collective that `waiting` stands at cannot go on.
std::string Block::missing_lanes(const Thread& waiting) const {
  const int first = waiting.id / kWarpSize * kWarpSize;
  for (int lane = 0; lane < kWarpSize; ++lane) {
    if (!(waiting.site.mask >> lane & 1)) continue;
    const int id = first + lane;
    const char* reason = nullptr;
    if (id >= size_) {
      reason = " does not exist";
    } else if (threads_[id].state == Thread::State::Finished) {
      reason = " has finished";
    } else if (threads_[id].site.mask != waiting.site.mask || threads_[id].site.what != waiting.site.what) {
      reason = " is elsewhere";
    }
    if (reason) return ", but lane " + std::to_string(lane) + reason;
  }
  return "";
}

}  // namespace ftwt::emulator
