// A program with two libraries that have different versions of tensortap: each reads what the other has written, and an
// error of one is not caught by the other.
#include <cstdio>

extern "C" {
int one_write(const char* path);
double one_read(const char* path);
const void* one_object();
int two_write(const char* path);
double two_read(const char* path);
const void* two_object();
}

int main() {
  const bool done = one_write("one") == 0 && two_write("two") == 0 && one_write("one") == 1 && two_write("two") == 1;
  const bool same = one_read("two") == 6 && two_read("one") == 6 && one_read("none") == -1 && two_read("none") == -1;
  std::printf("written: %d, read: %d, apart: %d\n", done, same, one_object() != two_object());
  return done && same && one_object() != two_object() ? 0 : 1;
}
