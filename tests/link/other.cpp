#include <tensortap/tensortap.hpp>

const void* address_in_other();

const void* address_in_other() { return tensortap::all_modes.data(); }
