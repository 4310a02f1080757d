// A program that compiles quickly: it needs one small header.
#include <cstdio>
#include <tensortap/version.hpp>

int main() { return std::puts(tensortap::version) < 0; }
