// The one file of a program that compiles the bodies.
#define TENSORTAP_IMPLEMENTATION
#include <tensortap/tensortap.hpp>
