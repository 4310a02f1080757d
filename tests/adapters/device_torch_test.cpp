// The tap of libtorch with tensors on a device. Debian's libtorch has no CUDA: the device is made here, out of host
// memory. Like one of CUDA, it has a stream: a copy that need not block is queued, and made later; events say when it
// is complete.
#include <ATen/core/ivalue.h>  // first: libtorch 1.13 does not compile with clang in C++20 otherwise

#include <tensortap/adapters/torch.hpp>

#include <ATen/EmptyTensor.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <tensortap/tensortap.hpp>
#include "catch.hpp"

namespace tt = tensortap;
using torch::Tensor;

namespace {

const c10::Device device(c10::kPrivateUse1, 0);

/// The queue of the device, in the order of its stream.
class Queue {
 public:
  bool has_events = true;
  int copies = 0;  ///< to host memory, queued or made at once

  void add(std::function<void()> copy) {
    const std::lock_guard lock(mutex_);
    ++copies;
    waiting_.push_back(std::move(copy));
  }
  std::size_t end() {
    const std::lock_guard lock(mutex_);
    return done_ + waiting_.size();
  }
  [[nodiscard]] std::size_t done() {
    const std::lock_guard lock(mutex_);
    return done_;
  }
  /// Returns whether all up to `position` is done, then does one more of what is queued.
  bool query(std::size_t position) {
    const std::lock_guard lock(mutex_);
    const bool is_done = done_ >= position;
    if (!is_done) do_first();
    return is_done;
  }
  void finish() {
    const std::lock_guard lock(mutex_);
    while (!waiting_.empty()) do_first();
  }

 private:
  void do_first() {
    waiting_.front()();
    waiting_.erase(waiting_.begin());
    ++done_;
  }

  std::mutex mutex_;
  std::vector<std::function<void()>> waiting_;
  std::size_t done_ = 0;
};

Queue& queue() {
  static Queue it;
  return it;
}

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return device.type(); }
  c10::Device exchangeDevice(c10::Device) const override { return device; }
  c10::Device getDevice() const override { return device; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const noexcept override { return c10::Stream(c10::Stream::DEFAULT, device); }
  c10::Stream exchangeStream(c10::Stream stream) const noexcept override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void** event, const c10::Stream&, c10::DeviceIndex, const c10::EventFlag) const override {
    TORCH_CHECK(queue().has_events, "no events");
    if (*event == nullptr) *event = new std::size_t(0);
    *static_cast<std::size_t*>(*event) = queue().end();
  }
  bool queryEvent(void* event) const override { return queue().query(*static_cast<std::size_t*>(event)); }
  void destroyEvent(void* event, c10::DeviceIndex) const noexcept override { delete static_cast<std::size_t*>(event); }
  void synchronizeStream(const c10::Stream&) const override { queue().finish(); }
};

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(std::size_t size) const override {
    void* const at = ::operator new(size);
    return {at, at, [](void* p) { ::operator delete(p); }, device};
  }
};

const c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);

Tensor empty(c10::IntArrayRef shape, c10::optional<c10::ScalarType> type, c10::optional<c10::Layout>,
             c10::optional<c10::Device>, c10::optional<bool>, c10::optional<c10::MemoryFormat> format) {
  static Memory memory;
  return at::detail::empty_generic(shape, &memory, keys, type.value_or(torch::kFloat32), format);
}

Tensor empty_strided(c10::IntArrayRef shape, c10::IntArrayRef strides, c10::optional<c10::ScalarType> type,
                     c10::optional<c10::Layout>, c10::optional<c10::Device>, c10::optional<bool>) {
  static Memory memory;
  return at::detail::empty_strided_generic(shape, strides, &memory, keys, type.value_or(torch::kFloat32));
}

/// Returns the same elements as a tensor in host memory.
Tensor elements_of(const Tensor& tensor) {
  return torch::from_blob(
      tensor.data_ptr(), tensor.sizes(), tensor.strides(), [tensor](void*) {},
      torch::TensorOptions().dtype(tensor.scalar_type()));
}

Tensor copy_from(const Tensor& from, const Tensor& to, bool non_blocking) {
  const auto copy = [from = elements_of(from), to = elements_of(to)] { to.copy_(from); };
  if (to.is_cpu()) {
    queue().add(copy);
    if (!non_blocking) queue().finish();
  } else {
    copy();
  }
  return to;
}

/// Returns 3 x for x on the device, as a tensor in host memory; torch has no kernels for the device.
struct Triple : torch::autograd::Function<Triple> {
  static Tensor forward(torch::autograd::AutogradContext*, const Tensor& x) { return elements_of(x) * 3; }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext*, torch::autograd::tensor_list outer) {
    return {(outer[0] * 3).to(device)};
  }
};

struct OnDeviceImpl : torch::nn::Module {
  Tensor forward() { return Triple::apply(weight); }
  Tensor elements = torch::tensor({{1.F, 2.F, 3.F}, {4.F, 5.F, 6.F}});
  Tensor weight = register_parameter("weight", elements.to(device));
  Tensor strided = register_buffer("strided", elements.t().to(device));
};
TORCH_MODULE(OnDevice);

}  // namespace

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);
TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", &empty);
  m.impl("empty_strided", &empty_strided);
  m.impl("_copy_from", &copy_from);
}

TEST_CASE("tensors on a device are copied when they are due, and written when the copy is complete",
          "[adapters][torch]") {
  queue().has_events = GENERATE(true, false);
  CAPTURE(queue().has_events);
  const auto store = std::make_shared<tt::MemoryStore>();
  OnDevice net;
  REQUIRE_FALSE(net->strided.is_contiguous());
  tt::Hook hook(store, {.collections = {{.name = "all"}}, .save = tt::every(2)});
  CHECK_THROWS_AS((hook.begin_step(), hook.save("w", net->weight)), tt::Error);  // the hook alone refuses it
  auto tap = tt::tap(hook, net);
  queue().copies = 0;
  for (int i = 1; i < 5; ++i) {
    tap.begin_step();
    const int before = queue().copies;
    const std::size_t done = queue().done();
    tap.forward().sum().backward();
    net->weight.mutable_grad().reset();  // the device cannot add
    if (i % 2 == 1) {
      CHECK(before == queue().copies);
      CHECK(tap.notes().empty());
    } else {
      CHECK(queue().copies == before + 1);
      if (queue().has_events) CHECK(queue().done() == done);  // not even those of begin_step are made
    }
  }
  CHECK(queue().copies == 6);  // weight, buffer and gradient in steps 2 and 4
  if (queue().has_events) CHECK(queue().done() != queue().end());
  tap.flush();
  CHECK(queue().done() == queue().end());
  hook.close();
  CHECK(tap.notes().empty());
  const tt::Trial trial(store);
  CHECK(trial.steps() == std::vector<std::int64_t>{2, 4});
  for (const std::int64_t step : {2, 4}) {
    const auto read = [&](const char* name) { return tt::to_torch(*trial.tensor(name).value(step)); };
    CHECK(torch::equal(read("OnDevice_weight"), net->elements));
    CHECK(torch::equal(read("buffer/OnDevice_strided"), net->elements.t()));
    CHECK(torch::equal(read("gradient/OnDevice_weight"), torch::full({2, 3}, 3.F)));
  }
}

TEST_CASE("a copy whose step has ended is not written into another one", "[adapters][torch]") {
  queue().has_events = true;
  const auto store = std::make_shared<tt::MemoryStore>();
  OnDevice net;
  tt::Hook hook(store, {.collections = {{.name = "all"}}, .save = tt::every(1)});
  auto tap = tt::tap(hook, net, {.buffers = false});
  tap.begin_step();
  hook.begin_step();  // not that of the tap
  hook.save("loss", 1);
  tap.flush();
  hook.close();
  REQUIRE(tap.notes().size() == 1);
  CHECK_THAT(tap.notes().front(), contains("\"OnDevice_weight\": its step ended before its copy was saved"));
  CHECK(tt::Trial(store).tensors().size() == 1);
}
