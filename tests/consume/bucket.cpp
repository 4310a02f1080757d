// A program that keeps runs in buckets; here it only names one.
#include <cstdio>
#include <tensortap/net.hpp>

int main() { return std::puts(tensortap::open_store("s3://bucket/runs/42")->location().c_str()) < 0; }
