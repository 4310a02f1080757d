// Copies of tensors on a device, which the device makes while training goes on.
#pragma once

#include <ATen/core/ivalue.h>  // first: libtorch 1.13 does not compile with clang in C++20 otherwise

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/torch.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A copy in host memory that its device may still be writing.
struct TorchCopy {
  std::string name;
  std::int64_t global_step;
  torch::Tensor host;
  std::unique_ptr<c10::Event> copied;  // null if the copy is complete

  /// Blocks until the copy is complete.
  void wait() const {
    // c10::Event has no call that blocks. A copy is usually complete when this is asked: many kernels were queued
    // since.
    while (copied && !copied->query()) std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
};

/// Returns an event behind all that is queued on the current stream of `device`; null if the device has no events, and
/// then waits for the stream.
inline std::unique_ptr<c10::Event> event_behind(c10::Device device) {
  const c10::Stream stream = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
  try {
    auto event = std::make_unique<c10::Event>(device.type());
    event->record(stream);
    return event;
  } catch (const c10::Error&) {
    stream.synchronize();
    return nullptr;
  }
}

/// The copies that have begun and are not yet saved. Threads: any.
class TorchCopies {
 public:
  /// Begins to copy `tensor` to host memory, on the current stream of its device.
  void begin(std::string name, std::int64_t global_step, const torch::Tensor& tensor) {
    // Only into pinned memory does CUDA copy without blocking the thread.
    const auto options = torch::TensorOptions().dtype(tensor.scalar_type()).pinned_memory(tensor.is_cuda());
    torch::Tensor host = torch::empty(tensor.sizes(), options);
    host.copy_(tensor, /*non_blocking=*/true);
    auto copied = event_behind(tensor.device());
    const std::lock_guard lock(mutex_);
    copies_.push_back({std::move(name), global_step, std::move(host), std::move(copied)});
  }

  /// Returns the copies so far, oldest first, and forgets them.
  [[nodiscard]] std::vector<TorchCopy> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(copies_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<TorchCopy> copies_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
