// Blocks that are too small for huge pages of their own, side by side in some. A network's weights are read every run:
// in pages of 4 KiB they need more translations than a core keeps.
#pragma once
#include <cstddef>

namespace ftwt::cpu {

struct Pages;

// While one lives, blocks that its thread allocates share pages. Pages live as long as a block in them does: what is
// allocated meanwhile should die together.
class SharedPages {
 public:
  // `expected`: bytes of all blocks. Where these would not fill a huge page, blocks are allocated as ever.
  explicit SharedPages(std::size_t expected);
  ~SharedPages();
  SharedPages(const SharedPages&) = delete;
  SharedPages& operator=(const SharedPages&) = delete;

 private:
  friend void* allocate_in_shared_pages(std::size_t bytes);
  SharedPages* outer_;  // of the thread
  bool shares_;
  Pages* pages_ = nullptr;  // that are filled
};

// 64-byte aligned, or nullptr where no pages are shared, or there are none to be had.
void* allocate_in_shared_pages(std::size_t bytes);
// Whether the block was such.
bool free_in_shared_pages(void* block) noexcept;

}  // namespace ftwt::cpu
