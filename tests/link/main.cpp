// Two translation units include everything: the program links only if every function is inline, and the two must share
// one `all_modes`.
#include <tensortap/tensortap.hpp>

const void* address_in_other();

int main() { return address_in_other() == tensortap::all_modes.data() ? 0 : 1; }
