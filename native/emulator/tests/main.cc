// Runs the tests whose names contain the argument, or all. Prints one line for each; fails if one of them does.
#include <cstdio>
#include <exception>
#include <stdexcept>

#include "emulator/tests/runner.h"

namespace ftwt::emulator::tests {

namespace {

struct Test {
  const char* name;
  void (*body)();
};

std::vector<Test>& all_tests() {
  static std::vector<Test> tests;
  return tests;
}

bool passes(const Test& test) {
  try {
    test.body();
    std::printf("ok %s\n", test.name);
    return true;
  } catch (const std::exception& error) {
    std::printf("not ok %s: %s\n", test.name, error.what());
    cudaGetLastError();
    return false;
  }
}

}  // namespace

Registration::Registration(const char* name, void (*body)()) { all_tests().push_back({name, body}); }

void check(bool condition, const std::string& what, std::source_location where) {
  if (condition) return;
  throw std::runtime_error(std::string(where.file_name()) + ":" + std::to_string(where.line()) + " " + what);
}

void check_contains(const std::string& text, const std::string& part, std::source_location where) {
  check(text.find(part) != std::string::npos, "'" + part + "' is not in '" + text + "'", where);
}

}  // namespace ftwt::emulator::tests

int main(int count, char** arguments) {
  using namespace ftwt::emulator::tests;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // a crash must not swallow the lines before it
  const std::string filter = count > 1 ? arguments[1] : "";
  int run = 0, failed = 0;
  for (const Test& test : all_tests()) {
    if (std::string(test.name).find(filter) == std::string::npos) continue;
    ++run;
    failed += !passes(test);
  }
  return run > 0 && failed == 0 ? 0 : 1;
}
