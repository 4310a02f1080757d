// The use of NVIDIA's GPUs, by the management library NVML, which is loaded if it is there. Source: NVML's reference
// manual; its functions keep their meaning from version to version.
#pragma once

#include <dlfcn.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: one.
class GpuMetrics {
 public:
  /// Loads `library`; without it there are no GPUs.
  explicit GpuMetrics(const std::string& library) {
    if (library.empty()) return;
    library_ = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) return;
    unsigned count = 0;
    int (*begin)() = nullptr;
    int (*count_of)(unsigned*) = nullptr;
    int (*device)(unsigned, void**) = nullptr;
    const bool is_whole = find("nvmlInit_v2", begin) && find("nvmlShutdown", end_) &&
                          find("nvmlDeviceGetCount_v2", count_of) && find("nvmlDeviceGetHandleByIndex_v2", device) &&
                          find("nvmlDeviceGetUtilizationRates", utilization_) &&
                          find("nvmlDeviceGetMemoryInfo", memory_);
    if (!is_whole || begin() != 0) return;
    has_begun_ = true;
    if (count_of(&count) != 0) return;
    constexpr unsigned most = 1024;
    for (unsigned i = 0; i < count && i < most; ++i)
      if (void* handle = nullptr; device(i, &handle) == 0) devices_.push_back(handle);
  }
  GpuMetrics(const GpuMetrics&) = delete;
  GpuMetrics& operator=(const GpuMetrics&) = delete;
  ~GpuMetrics() {
    if (has_begun_) (void)end_();
    if (library_ != nullptr) (void)::dlclose(library_);
  }

  [[nodiscard]] int count() const noexcept { return static_cast<int>(devices_.size()); }

  void sample(std::int64_t time, std::vector<SystemMetric>& out) const {
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      const std::string name = "gpu" + std::to_string(i);
      std::array<unsigned, 2> used{};  // of the GPU, and of the time of its memory. Units: percent
      if (utilization_(devices_[i], used.data()) == 0)
        out.push_back({time, static_cast<double>(used[0]), "gpu", name, "GPUUtilization"});
      std::array<unsigned long long, 3> bytes{};  // total, free, used
      if (memory_(devices_[i], bytes.data()) == 0 && bytes[0] > 0)
        out.push_back({time, 100 * static_cast<double>(bytes[2]) / static_cast<double>(bytes[0]), "gpu", name,
                       "GPUMemoryUtilization"});
    }
  }

 private:
  template <class Function>
  bool find(const char* name, Function& function) const {
    void* const found = ::dlsym(library_, name);
    static_assert(sizeof found == sizeof function);
    std::memcpy(&function, &found, sizeof function);  // a cast is but conditionally supported
    return found != nullptr;
  }

  void* library_ = nullptr;
  bool has_begun_ = false;
  int (*end_)() = nullptr;
  int (*utilization_)(void*, unsigned*) = nullptr;
  int (*memory_)(void*, unsigned long long*) = nullptr;
  std::vector<void*> devices_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
