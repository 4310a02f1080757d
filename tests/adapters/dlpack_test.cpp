#if __has_include(<dlpack/dlpack.h>)
#include <tensortap/adapters/dlpack.hpp>

#include <complex>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/tensortap.hpp>
#include "catch.hpp"

namespace tt = tensortap;

namespace {

/// A maker of managed tensors that counts the calls of its deleter.
struct DlpackMaker {
  std::vector<float> elements = {0, 1, 2, 3, 4, 5};
  std::vector<std::int64_t> shape = {2, 3};
  std::vector<std::int64_t> strides = {};
  int deleted = 0;
  DLManagedTensor managed = {};

  DLManagedTensor& make(std::int32_t device = 1) {
    DLTensor& tensor = managed.dl_tensor;
    tensor.data = elements.data();
    std::memcpy(&tensor.device.device_type, &device, sizeof device);  // it may be none of DLDeviceType
    tensor.device.device_id = 3;
    tensor.ndim = static_cast<int>(shape.size());
    tensor.dtype = {kDLFloat, 32, 1};
    tensor.shape = shape.data();
    tensor.strides = strides.empty() ? nullptr : strides.data();
    tensor.byte_offset = 0;
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensor* self) { ++static_cast<DlpackMaker*>(self->manager_ctx)->deleted; };
    return managed;
  }
};

std::vector<float> row_major(const tt::TensorView& view) { return tt::Tensor(view).as<float>(); }

}  // namespace

TEST_CASE("a hook saves a tensor of DLPack", "[adapters][dlpack]") {
  DlpackMaker maker;
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store);
  hook.begin_step();
  hook.save("managed", maker.make());
  hook.save("plain", maker.make().dl_tensor);
  maker.strides = {1, 2};  // of the same memory, transposed
  hook.save("strided", maker.make());
  hook.close();
  CHECK(maker.deleted == 0);
  const tt::Trial trial(store);
  CHECK(trial.tensor("managed").value(0)->shape() == tt::Tensor::Shape{2, 3});
  CHECK(row_major(tt::as_view(*trial.tensor("managed").value(0))) == maker.elements);
  CHECK(row_major(tt::as_view(*trial.tensor("plain").value(0))) == maker.elements);
  CHECK(row_major(tt::as_view(*trial.tensor("strided").value(0))) == std::vector<float>{0, 2, 4, 1, 3, 5});
}

TEST_CASE("a view of DLPack has its lanes, its offset and its strides", "[adapters][dlpack]") {
  DlpackMaker maker;
  DLTensor& tensor = maker.make().dl_tensor;
  CHECK(tt::as_view(tensor).data() == maker.elements.data());  // no copy
  CHECK(tt::as_view(tensor).is_contiguous());

  SECTION("a byte offset") {
    maker.shape = {2};
    maker.make();
    tensor.byte_offset = 3 * sizeof(float);
    CHECK(row_major(tt::as_view(tensor)) == std::vector<float>{3, 4});
  }
  SECTION("vectors of two floats: strides count vectors") {
    maker.shape = {3};
    maker.make();
    tensor.dtype.lanes = 2;
    CHECK(tt::Tensor(tt::as_view(tensor)).shape() == tt::Tensor::Shape{3, 2});
    CHECK(row_major(tt::as_view(tensor)) == maker.elements);
    maker.shape = {2};
    maker.strides = {2};
    maker.make();
    tensor.dtype.lanes = 2;
    CHECK(row_major(tt::as_view(tensor)) == std::vector<float>{0, 1, 4, 5});
  }
  SECTION("no axes") {
    maker.shape = {};
    maker.make();
    CHECK(tt::as_view(tensor).rank() == 0);
    CHECK(row_major(tt::as_view(tensor)) == std::vector<float>{0});
  }
  SECTION("no elements, no memory") {
    maker.shape = {0, 3};
    maker.make();
    tensor.data = nullptr;
    CHECK(tt::as_view(tensor).size() == 0);
  }
  SECTION("pinned memory is memory of the host") {
    CHECK(row_major(tt::as_view(maker.make(3))) == maker.elements);
    CHECK(row_major(tt::as_view(maker.make(11))) == maker.elements);
  }
}

TEST_CASE("each element type goes to DLPack and back", "[adapters][dlpack]") {
  for (std::size_t i = 0; i < tt::dtype_count; ++i) {
    const auto dtype = static_cast<tt::DType>(i);
    if (dtype == tt::DType::string) continue;
    INFO(to_string(dtype));
    tt::Tensor tensor(dtype, {2, 3});
    for (std::size_t at = 0; at < tensor.bytes().size(); ++at)
      tensor.bytes()[at] = std::byte{static_cast<unsigned char>(at % 2)};
    const tt::Tensor original = tensor;
    const void* const memory = tensor.bytes().data();
    tt::DlpackTensor out = tt::to_dlpack(std::move(tensor));
    CHECK(out->dl_tensor.data == memory);  // no copy
    CHECK(out->dl_tensor.ndim == 2);
    CHECK(out->dl_tensor.shape[1] == 3);
    CHECK(out->dl_tensor.strides[0] == 3);
    CHECK(out->dl_tensor.dtype.bits == 8 * tt::size_of(dtype));
    const tt::Tensor back = tt::from_dlpack(out.release());
    CHECK(back.shape() == original.shape());
    CHECK(std::equal(back.bytes().begin(), back.bytes().end(), original.bytes().begin()));
    if (dtype != tt::DType::boolean) CHECK(back.dtype() == dtype);
  }
  // By DLPack's own names of the codes.
  const auto code_of = [](tt::DType dtype) { return int{tt::to_dlpack(tt::Tensor(dtype, {1}))->dl_tensor.dtype.code}; };
  CHECK(code_of(tt::DType::f16) == kDLFloat);
  CHECK(code_of(tt::DType::bf16) == kDLBfloat);
  CHECK(code_of(tt::DType::i64) == kDLInt);
  CHECK(code_of(tt::DType::u8) == kDLUInt);
  CHECK(code_of(tt::DType::complex64) == kDLComplex);
  DlpackMaker maker;
  maker.make().dl_tensor.dtype = {6, 8, 1};  // kDLBool, which older headers lack
  CHECK(tt::as_view(maker.managed).dtype() == tt::DType::boolean);
  CHECK_THROWS_WITH(tt::to_dlpack(tt::Tensor(std::vector<std::string>{"a"})), contains("strings"));
}

TEST_CASE("DLPack's tensors that cannot be read are refused by name", "[adapters][dlpack]") {
  DlpackMaker maker;
  tt::Hook hook(std::make_shared<tt::MemoryStore>());
  hook.begin_step();
  CHECK_THROWS_WITH(hook.save("fc1.weight", maker.make(2)),
                    contains("\"fc1.weight\": it is on a device (CUDA 3); copy it to the CPU first"));
  CHECK_THROWS_WITH(hook.save("w", maker.make(13)), contains("(CUDA managed 3)"));
  CHECK_THROWS_WITH(hook.save("w", maker.make(99)), contains("(kind 99 3)"));
  maker.make().dl_tensor.dtype = {8, 8, 1};  // a float of 8 bits
  CHECK_THROWS_WITH(hook.save("w", maker.managed), contains("\"w\"") && contains("code 8, 8 bits, 1 lanes"));
  maker.make().dl_tensor.dtype = {kDLInt, 4, 1};
  CHECK_THROWS_WITH(hook.save("w", maker.managed), contains("4 bits"));
  maker.make().dl_tensor.dtype.lanes = 0;
  CHECK_THROWS_WITH(hook.save("w", maker.managed), contains("0 lanes"));
  maker.make().dl_tensor.data = nullptr;
  CHECK_THROWS_WITH(hook.save("w", maker.managed), contains("no memory"));
  maker.make().dl_tensor.shape = nullptr;
  CHECK_THROWS_WITH(hook.save("w", maker.managed), contains("no shape"));
  maker.make().dl_tensor.ndim = -1;
  CHECK_THROWS_WITH(hook.save("w", maker.managed), contains("-1 axes"));
  maker.make().dl_tensor.byte_offset = 2;
  CHECK_THROWS_WITH(hook.save("w", maker.managed), contains("no multiple of 4 bytes"));
  maker.shape.assign(9, 1);
  CHECK_THROWS_AS(hook.save("w", maker.make()), tt::Error);
  maker.shape = {2, -3};
  CHECK_THROWS_AS(hook.save("w", maker.make()), tt::Error);
  maker.shape = {2};
  maker.strides = {INT64_MAX};
  maker.make().dl_tensor.dtype.lanes = 2;
  CHECK_THROWS_WITH(hook.save("w", maker.managed), contains("strides are too large"));
}

TEST_CASE("a tensor of DLPack that is taken over is deleted once", "[adapters][dlpack]") {
  DlpackMaker maker;
  CHECK(row_major(tt::as_view(tt::from_dlpack(&maker.make()))) == maker.elements);
  CHECK(maker.deleted == 1);
  CHECK_THROWS_WITH(tt::from_dlpack(&maker.make(2), "w"), contains("\"w\": it is on a device"));
  CHECK(maker.deleted == 2);
  maker.make().deleter = nullptr;  // its maker frees it
  CHECK(tt::from_dlpack(&maker.managed).size() == 6);
  CHECK(maker.deleted == 2);
  CHECK_THROWS_AS(tt::from_dlpack(static_cast<DLManagedTensor*>(nullptr)), tt::Error);
}

#if TENSORTAP_DLPACK_HAS_VERSIONS
TEST_CASE("a versioned tensor of DLPack is read if its version is known", "[adapters][dlpack]") {
  tt::Tensor tensor(tt::DType::f32, {2});
  tensor.as<float>()[1] = 7;
  tt::DlpackVersionedTensor out = tt::to_dlpack_versioned(tensor);
  CHECK(out->version.major == DLPACK_MAJOR_VERSION);
  CHECK(out->flags == 0);
  CHECK(row_major(tt::as_view(*out)) == std::vector<float>{0, 7});
  out->version.major = DLPACK_MAJOR_VERSION + 1;
  CHECK_THROWS_WITH(tt::as_view(*out, "w"), contains("\"w\": it has version 2."));
  CHECK_THROWS_WITH(tt::from_dlpack(out.release(), "w"), contains("version 2."));
}
#endif
#endif
