// Catch2, version 2 or 3, with one spelling for what differs between them: `Approx(x)` and `contains("text")`.
#pragma once

#include <string>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
/// A matcher for strings that hold `text`.
inline auto contains(const std::string& text) { return Catch::Matchers::ContainsSubstring(text); }
#else
#include <catch2/catch.hpp>  // brings Approx into the global namespace by itself
/// A matcher for strings that hold `text`.
inline auto contains(const std::string& text) { return Catch::Matchers::Contains(text); }
#endif
