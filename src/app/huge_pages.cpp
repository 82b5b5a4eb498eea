// SPDX-License-Identifier: MIT
#include "app/huge_pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace isotrope::app {

void use_huge_pages() {
#if defined(__GLIBC__) && defined(MADV_HUGEPAGE)
  constexpr int mebibyte = 1 << 20, room = 256 * mebibyte, largest = 32 * mebibyte;  // `largest`: the most glibc takes
  mallopt(M_MMAP_THRESHOLD, largest);
  mallopt(M_TRIM_THRESHOLD, 2 * room);
  // Advice holds for addresses that are there: the heap grows once, by addresses alone.
  mallopt(M_TOP_PAD, room);
  void* const first = std::malloc(largest / 2);
  mallopt(M_TOP_PAD, mebibyte);
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(first) + page - 1) / page * page,
             end = reinterpret_cast<std::uintptr_t>(sbrk(0));
  // Advice: where the kernel does not follow, or the heap is another's, nothing is lost.
  if (first && begin < end && end - begin <= 2UL * room)
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
  std::free(first);
#endif
}

}  // namespace isotrope::app
