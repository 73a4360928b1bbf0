#include "cpu/shared_pages.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <new>

#include "cpu/memory.h"

// A sanitizer sees what is read between blocks only where each is allocated by itself.
#if defined(__SANITIZE_ADDRESS__)
#define FTWT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FTWT_ASAN 1
#endif
#endif
#if defined(__linux__) && !defined(FTWT_ASAN)
#define FTWT_SHARES_PAGES 1
#else
#define FTWT_SHARES_PAGES 0
#endif

namespace ftwt::cpu {

struct Pages {
  char* data = nullptr;
  std::size_t bytes = 0;
  std::size_t used = 0;
  std::size_t blocks = 0;  // that live, and one while it is filled
  ~Pages() { std::free(data); }
};

namespace {

// What is taken from the system at a time, at least; it becomes memory when it is written.
constexpr std::size_t kChunk = 8 * kHugePage;

thread_local SharedPages* current = nullptr;

std::mutex mutex;
// By their first byte. Never destroyed: a block may be freed when the process ends.
auto& all_pages = *new std::map<std::uintptr_t, std::unique_ptr<Pages>>;
std::atomic<bool> any{false};

constexpr std::size_t round_up(std::size_t bytes, std::size_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

// With the mutex held.
void release(Pages* pages) {
  if (--pages->blocks > 0) return;
  all_pages.erase(reinterpret_cast<std::uintptr_t>(pages->data));
  any = !all_pages.empty();
}

// With the mutex held; nullptr where there is no memory.
Pages* add_pages(std::size_t bytes) try {
  auto pages = std::make_unique<Pages>();
  pages->data = static_cast<char*>(allocate_aligned(bytes));
  if (pages->data == nullptr) return nullptr;
  pages->bytes = bytes;
  pages->blocks = 1;
  Pages* added = pages.get();
  all_pages.emplace(reinterpret_cast<std::uintptr_t>(added->data), std::move(pages));
  any = true;
  return added;
} catch (const std::bad_alloc&) {
  return nullptr;
}

}  // namespace

SharedPages::SharedPages(std::size_t expected) : outer_(current), shares_(FTWT_SHARES_PAGES && expected >= kHugePage) {
  current = this;
}

SharedPages::~SharedPages() {
  current = outer_;
  if (pages_ == nullptr) return;
  const std::lock_guard<std::mutex> lock(mutex);
  release(pages_);
}

void* allocate_in_shared_pages(std::size_t bytes) {
  SharedPages* scope = current;
  if (scope == nullptr || !scope->shares_ || bytes > SIZE_MAX - kHugePage) return nullptr;
  bytes = round_up(std::max<std::size_t>(1, bytes), kBlockAlignment);
  const std::lock_guard<std::mutex> lock(mutex);
  if (scope->pages_ == nullptr || scope->pages_->bytes - scope->pages_->used < bytes) {
    Pages* added = add_pages(std::max(kChunk, round_up(bytes, kHugePage)));
    if (added == nullptr) return nullptr;
    if (scope->pages_ != nullptr) release(scope->pages_);
    scope->pages_ = added;
  }
  Pages& pages = *scope->pages_;
  char* block = pages.data + pages.used;
  pages.used += bytes;
  ++pages.blocks;
  return block;
}

bool free_in_shared_pages(void* block) noexcept {
  if (!any) return false;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto at = reinterpret_cast<std::uintptr_t>(block);
  auto next = all_pages.upper_bound(at);
  if (next == all_pages.begin()) return false;
  Pages& pages = *std::prev(next)->second;
  if (at - reinterpret_cast<std::uintptr_t>(pages.data) >= pages.bytes) return false;
  release(&pages);
  return true;
}

}  // namespace ftwt::cpu
