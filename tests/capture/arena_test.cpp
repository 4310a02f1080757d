#include <tensortap/capture/internal/arena.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

/// A block of the arena, filled with its own byte.
struct Piece {
  std::byte* at;
  std::size_t size;
  int content;

  [[nodiscard]] bool holds_its_content() const {
    for (std::size_t i = 0; i < size; ++i)
      if (at[i] != static_cast<std::byte>(content)) return false;
    return true;
  }
};

Piece piece_of(tt::detail::Arena& arena, std::size_t size, int content) {
  std::byte* const at = arena.allocate(size);
  if (size > 0) std::memset(at, content, size);
  return {at, size, content & 0xff};
}

std::vector<std::byte*> addresses(tt::detail::Arena& arena, const std::vector<std::size_t>& sizes) {
  std::vector<std::byte*> out;
  for (const std::size_t size : sizes) {
    out.push_back(arena.allocate(size));
    if (size > 0) std::memset(out.back(), 1, size);
  }
  return out;
}

}  // namespace

TEST_CASE("blocks of an arena are aligned, never move and do not overlap", "[capture][arena]") {
  tt::detail::Arena arena;
  std::vector<Piece> pieces;
  int content = 0;
  for (int round = 0; round < 40; ++round)
    for (const std::size_t size : {0U, 1U, 63U, 64U, 65U, 4095U, 4096U, 4097U, 100'000U, 3'000'000U})
      if (size < 100'000 || round < 3) pieces.push_back(piece_of(arena, size, ++content));
  std::size_t total = 0;
  for (const Piece& piece : pieces) {
    CHECK(reinterpret_cast<std::uintptr_t>(piece.at) % 64 == 0);
    CHECK(piece.holds_its_content());
    total += piece.size;
  }
  CHECK(arena.capacity() >= total);
}

TEST_CASE("an arena needs no more memory for the same requests again", "[capture][arena]") {
  const std::vector<std::size_t> sizes = {4, 400'000, 1, 0, 2'000'000, 64, 65, 5'000, 900'000, 8, 1'500'000};
  tt::detail::Arena arena;
  const auto first = addresses(arena, sizes);
  const std::size_t capacity = arena.capacity();
  for (int step = 0; step < 100; ++step) {
    arena.clear();
    CHECK(addresses(arena, sizes) == first);
    CHECK(arena.capacity() == capacity);
  }
}

TEST_CASE("an arena needs no more memory for smaller requests", "[capture][arena]") {
  tt::detail::Arena arena;
  for (int i = 0; i < 100; ++i) (void)arena.allocate(10'000);
  const std::size_t capacity = arena.capacity();
  for (const int count : {100, 50, 99, 25, 100}) {
    arena.clear();
    for (int i = 0; i < count; ++i) (void)arena.allocate(10'000);
    CHECK(arena.capacity() == capacity);
  }
}

TEST_CASE("an arena stays within a few times of the requests in any order", "[capture][arena]") {
  constexpr std::size_t mib = std::size_t{1} << 20;
  std::vector<std::size_t> sizes = {1 * mib, 2 * mib, 3 * mib, 5 * mib, 8 * mib};
  tt::detail::Arena arena;
  for (int step = 0; step < 200; ++step) {
    arena.clear();
    std::rotate(sizes.begin(), sizes.begin() + 1 + step % 3, sizes.end());
    for (const std::size_t size : sizes) (void)arena.allocate(size);
    CHECK(arena.capacity() <= 6 * 19 * mib);
  }
}

TEST_CASE("an arena frees memory that is mostly unused", "[capture][arena]") {
  constexpr std::size_t mib = std::size_t{1} << 20;
  tt::detail::Arena arena;
  (void)arena.allocate(20 * mib);
  CHECK(arena.capacity() >= 20 * mib);
  arena.clear();
  CHECK(arena.capacity() >= 20 * mib);  // it was in use
  (void)arena.allocate(8);
  arena.clear();
  CHECK(arena.capacity() == 0);
  const Piece piece = piece_of(arena, 8, 7);
  CHECK(piece.holds_its_content());
  CHECK(arena.capacity() < mib);
}

TEST_CASE("a small arena keeps its memory without any request", "[capture][arena]") {
  tt::detail::Arena arena;
  (void)arena.allocate(100'000);
  const std::size_t capacity = arena.capacity();
  for (int step = 0; step < 3; ++step) arena.clear();
  CHECK(arena.capacity() == capacity);
}
