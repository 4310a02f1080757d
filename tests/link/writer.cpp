#include <tensortap/tensortap.hpp>

const void* write_run(const char* path);

const void* write_run(const char* path) {
  tensortap::MemoryStore().put("key", "text");
  tensortap::Hook hook(path, {.save = tensortap::every(1), .start_over = true, .resume_ended = true});
  hook.begin_step();
  hook.save("loss", 0.5F);
  hook.close();
  return tensortap::all_modes.data();
}
