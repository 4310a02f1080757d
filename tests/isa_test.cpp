#include <cstdlib>
#include <string>

#include <tensortap/internal/isa_in_use.hpp>
#include <tensortap/isa.hpp>
#include "catch.hpp"

namespace tt = tensortap;

TEST_CASE("the name of an instruction set is parsed back to it", "[base][isa]") {
  for (const tt::Isa isa : tt::all_isas) CHECK(tt::parse_isa(to_string(isa)) == isa);
  CHECK_FALSE(tt::parse_isa("avx"));
  CHECK_FALSE(tt::parse_isa(""));
}

TEST_CASE("the widest instruction set is used, or the one that the environment names", "[base][isa]") {
  const auto chosen = [](const char* named) {
    named == nullptr ? ::unsetenv("TENSORTAP_ISA") : ::setenv("TENSORTAP_ISA", named, 1);
    return tt::detail::chosen_isa();
  };
  const char* const before = std::getenv("TENSORTAP_ISA");
  const std::string kept = before == nullptr ? "" : before;

  tt::Isa widest = tt::Isa::portable;
  for (const tt::Isa isa : tt::all_isas)
    if (tt::is_available(isa)) widest = isa;
  CHECK(chosen(nullptr) == widest);
  CHECK(chosen("no such thing") == widest);
  for (const tt::Isa isa : tt::all_isas)
    CHECK(chosen(std::string(to_string(isa)).c_str()) == (tt::is_available(isa) ? isa : widest));

  before == nullptr ? ::unsetenv("TENSORTAP_ISA") : ::setenv("TENSORTAP_ISA", kept.c_str(), 1);
}

TEST_CASE("ScopedIsa changes the instruction set until the end of its scope", "[base][isa]") {
  const tt::Isa before = tt::isa();
  {
    const tt::ScopedIsa narrow(tt::Isa::portable);
    CHECK(tt::isa() == tt::Isa::portable);
  }
  CHECK(tt::isa() == before);
  const tt::Isa foreign = tt::is_available(tt::Isa::neon) ? tt::Isa::avx2 : tt::Isa::neon;
  CHECK_THROWS_WITH(tt::ScopedIsa(foreign), contains("this processor does not have it"));
}
