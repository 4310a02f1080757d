// Names of torch's tensors and classes, as smdebug's PyTorch hook writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the class name that Python would show for a demangled name of C++: "Net" for "(anonymous
/// namespace)::NetImpl" and for "my::Net<float, std::less<int> >".
inline std::string class_name_of(std::string_view demangled) {
  std::size_t begin = demangled.size();
  for (int depth = 0; begin > 0; --begin) {
    const char c = demangled[begin - 1];
    if (c == '>' || c == ')') ++depth;
    if (c == '<' || c == '(') --depth;
    if (depth == 0 && c == ':') break;
  }
  std::string_view name = demangled.substr(begin);
  name = name.substr(0, name.find('<'));
  constexpr std::string_view suffix = "Impl";
  if (name.size() > suffix.size() && name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return std::string(name);
}

/// One of the two sides of a call of a module.
enum class Side : std::uint8_t { input, output };

/// Returns the name of tensor `i` that goes into, or comes out of, the module called `module`.
inline std::string name_of_side(std::string_view module, Side side, std::size_t i) {
  return std::string(module) + (side == Side::input ? "_input_" : "_output_") + std::to_string(i);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
