// DLPack, the structure in which Python's and C++'s frameworks lend each other tensors. With this header, hook.save()
// takes a DLTensor, a DLManagedTensor, or a DLManagedTensorVersioned of DLPack 1; a Tensor becomes a DLManagedTensor,
// and back. It works with the headers of DLPack 0.6 and later.
//
//   hook.save("weight", *managed);                                             // in: a view, no copy
//   tensortap::DlpackTensor out = tensortap::to_dlpack(std::move(tensor));     // out: no copy
//   consume(out.release());                                                    // the consumer calls the deleter
#pragma once

#include <dlpack/dlpack.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/tensor/view.hpp>

#if defined(DLPACK_MAJOR_VERSION) && DLPACK_MAJOR_VERSION >= 1
#define TENSORTAP_DLPACK_HAS_VERSIONS 1
#else
#define TENSORTAP_DLPACK_HAS_VERSIONS 0
#endif

TENSORTAP_BEGIN_NAMESPACE
namespace detail::dlpack {

inline Error refusal(std::string_view name, std::string_view cause) {
  return {Errc::invalid_tensor, "dlpack: tensor " + in_quotes(name) + ": " + std::string(cause)};
}

/// DLDataTypeCode, which grows with the versions of DLPack.
enum Code : std::uint8_t { integer = 0, unsigned_integer = 1, floating = 2, bfloat = 4, complex = 5, boolean = 6 };

/// Returns the element type with this code and size in bits; empty: the library has none.
constexpr std::optional<DType> dtype_of(std::uint8_t code, std::uint8_t bits) noexcept {
  for (std::size_t i = 0; i < dtype_count; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (dtype == DType::string || size_of(dtype) * 8 != bits) continue;
    const Code expected = dtype == DType::bf16                        ? bfloat
                          : is_floating(dtype)                        ? floating
                          : dtype >= DType::i8 && dtype <= DType::i64 ? integer
                          : dtype >= DType::u8 && dtype <= DType::u64 ? unsigned_integer
                          : dtype == DType::boolean                   ? boolean
                                                                      : complex;
    if (expected == code) return dtype;
  }
  return std::nullopt;
}

/// Returns DLPack's type of `dtype`. Headers before 0.8 have no bool: there it becomes uint8, as with numpy.
constexpr DLDataType type_of(DType dtype) noexcept {
  DLDataType out{integer, static_cast<std::uint8_t>(size_of(dtype) * 8), 1};
  for (const Code code : {integer, unsigned_integer, floating, bfloat, complex, boolean})
    if (dtype_of(code, out.bits) == dtype) out.code = code;
#ifndef DLPACK_MAJOR_VERSION
  if (out.code == boolean && DLPACK_VERSION < 80) out.code = unsigned_integer;
#endif
  return out;
}

/// Returns the name of a kind of device; its number if that is not known.
inline std::string device_name(std::int32_t kind) {
  constexpr std::string_view names[] = {
      "",     "CPU",       "CUDA",      "CUDA host",    "OpenCL", "",       "",        "Vulkan", "Metal",   "VPI",
      "ROCm", "ROCm host", "extension", "CUDA managed", "oneAPI", "WebGPU", "Hexagon", "MAIA",   "Trainium"};
  const auto count = static_cast<std::int32_t>(std::size(names));
  if (kind >= 0 && kind < count && !names[static_cast<std::size_t>(kind)].empty())
    return std::string(names[static_cast<std::size_t>(kind)]);
  return "kind " + std::to_string(kind);
}

/// Returns a view of `tensor`. The lanes of a vector type become a last axis.
inline TensorView view_of(const DLTensor& tensor, std::string_view name) {
  std::int32_t device = 0;  // a newer maker's kind may be no value of the enumeration that this program knows
  static_assert(sizeof device == sizeof tensor.device.device_type);
  std::memcpy(&device, &tensor.device.device_type, sizeof device);
  constexpr std::int32_t cpu = 1, cuda_host = 3, rocm_host = 11;  // pinned memory is memory of the host
  if (device != cpu && device != cuda_host && device != rocm_host)
    throw refusal(name, "it is on a device (" + device_name(device) + " " + std::to_string(tensor.device.device_id) +
                            "); copy it to the CPU first");
  const auto dtype = dtype_of(tensor.dtype.code, tensor.dtype.bits);
  if (!dtype || tensor.dtype.lanes == 0)
    throw refusal(name, "its element type is not supported (code " + std::to_string(tensor.dtype.code) + ", " +
                            std::to_string(tensor.dtype.bits) + " bits, " + std::to_string(tensor.dtype.lanes) +
                            " lanes); convert it first");
  if (tensor.ndim < 0 || (tensor.ndim > 0 && tensor.shape == nullptr))
    throw refusal(name, "it has no shape (" + std::to_string(tensor.ndim) + " axes); see what made it");
  const std::size_t rank = static_cast<std::size_t>(tensor.ndim) + (tensor.dtype.lanes > 1 ? 1 : 0);
  if (rank > TensorView::max_rank) throw Error::rank_too_large(rank, TensorView::max_rank);
  std::int64_t shape[TensorView::max_rank] = {};
  std::int64_t strides[TensorView::max_rank] = {};
  shape[rank > 0 ? rank - 1 : 0] = tensor.dtype.lanes;
  strides[rank > 0 ? rank - 1 : 0] = 1;
  for (int axis = 0; axis < tensor.ndim; ++axis) {
    shape[axis] = tensor.shape[axis];
    if (tensor.strides != nullptr && __builtin_mul_overflow(tensor.strides[axis], tensor.dtype.lanes, &strides[axis]))
      throw refusal(name, "its strides are too large; see what made it");
  }
  const auto* const data =
      static_cast<const std::byte*>(tensor.data) + (tensor.data == nullptr ? 0 : tensor.byte_offset);
  const TensorView::Extents extents(shape, rank);
  const TensorView view = tensor.strides == nullptr ? TensorView(data, *dtype, extents)
                                                    : TensorView(data, *dtype, extents, {strides, rank});
  if (view.size() > 0 && data == nullptr) throw refusal(name, "it has no memory; see what made it");
  const std::size_t alignment = size_of(*dtype) / (*dtype >= DType::complex64 ? 2 : 1);
  if (view.size() > 0 && reinterpret_cast<std::uintptr_t>(data) % alignment != 0)
    throw refusal(name, "its address is no multiple of " + std::to_string(alignment) + " bytes; copy it first");
  return view;
}

#if TENSORTAP_DLPACK_HAS_VERSIONS
/// Throws: the structure has a version whose members may be others.
inline void require_version(const DLManagedTensorVersioned& managed, std::string_view name) {
  if (managed.version.major != DLPACK_MAJOR_VERSION)
    throw refusal(name, "it has version " + std::to_string(managed.version.major) + "." +
                            std::to_string(managed.version.minor) + " of DLPack, and this program knows version " +
                            std::to_string(DLPACK_MAJOR_VERSION) + "; ask its maker for that version");
}
#endif

/// A tensor that was lent, with its structure.
template <class Managed>
struct Loan {
  Tensor tensor;
  std::vector<std::int64_t> shape = {};
  std::vector<std::int64_t> strides = {};
  Managed managed = {};
};

template <class Managed>
Managed* lend(Tensor&& tensor) {
  if (tensor.dtype() == DType::string)
    throw Error(Errc::invalid_tensor, "dlpack: tensor: it holds strings, which DLPack lacks; pass on numbers");
  auto loan = std::make_unique<Loan<Managed>>(Loan<Managed>{std::move(tensor)});
  const TensorView view = tensortap_view(loan->tensor);
  loan->shape.assign(view.shape().begin(), view.shape().end());
  loan->strides.assign(view.strides().begin(), view.strides().end());
  loan->managed.dl_tensor = {const_cast<void*>(view.data()),
                             {kDLCPU, 0},
                             static_cast<int>(view.rank()),
                             type_of(view.dtype()),
                             loan->shape.data(),
                             loan->strides.data(),
                             0};
  loan->managed.manager_ctx = loan.get();
  loan->managed.deleter = [](Managed* self) { delete static_cast<Loan<Managed>*>(self->manager_ctx); };
  return &loan.release()->managed;
}

}  // namespace detail::dlpack

/// Calls the deleter of a managed tensor, if it has one.
struct DlpackDeleter {
  template <class Managed>
  void operator()(Managed* managed) const noexcept {
    if (managed != nullptr && managed->deleter != nullptr) managed->deleter(managed);
  }
};

/// A managed tensor that this program owns. `release()` hands it to a consumer, which calls its deleter.
using DlpackTensor = std::unique_ptr<DLManagedTensor, DlpackDeleter>;

/// Returns `tensor` as a managed tensor in host memory, which owns the elements; they are not copied if `tensor` is
/// moved. Strides are given. Numeric: bool becomes uint8 where DLPack's header has no bool. Throws: it holds strings.
/// Threads: the deleter may be called from any.
[[nodiscard]] inline DlpackTensor to_dlpack(Tensor tensor) {
  return DlpackTensor(detail::dlpack::lend<DLManagedTensor>(std::move(tensor)));
}

/// Returns a copy of the elements, and calls the deleter of `managed`, also when it throws. Throws: as hook.save()
/// does.
[[nodiscard]] inline Tensor from_dlpack(DLManagedTensor* managed, std::string_view name = {}) {
  const DlpackTensor owner(managed);
  if (managed == nullptr) throw detail::dlpack::refusal(name, "it is null; see what made it");
  return Tensor(detail::dlpack::view_of(managed->dl_tensor, name));
}

#if TENSORTAP_DLPACK_HAS_VERSIONS
using DlpackVersionedTensor = std::unique_ptr<DLManagedTensorVersioned, DlpackDeleter>;

/// As to_dlpack, in the structure of DLPack 1.
[[nodiscard]] inline DlpackVersionedTensor to_dlpack_versioned(Tensor tensor) {
  DlpackVersionedTensor out(detail::dlpack::lend<DLManagedTensorVersioned>(std::move(tensor)));
  out->version = {DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION};
  return out;
}

/// As above. Throws: another major version, too; of that nothing but the deleter is used.
[[nodiscard]] inline Tensor from_dlpack(DLManagedTensorVersioned* managed, std::string_view name = {}) {
  const DlpackVersionedTensor owner(managed);
  if (managed == nullptr) throw detail::dlpack::refusal(name, "it is null; see what made it");
  detail::dlpack::require_version(*managed, name);
  return Tensor(detail::dlpack::view_of(managed->dl_tensor, name));
}
#endif

TENSORTAP_END_NAMESPACE

// as_view() finds these by the type of the argument: DLPack's structures are in the global namespace.

/// Returns a view of `tensor`. The lanes of a vector type become a last axis. Throws: it is on a device; an element
/// type that the library does not know; no shape, or no memory; an address that is not aligned. Lifetime: as long as
/// the memory.
[[nodiscard]] inline tensortap::TensorView tensortap_view(const DLTensor& tensor, std::string_view name = {}) {
  return tensortap::detail::dlpack::view_of(tensor, name);
}

/// As above. Does not call the deleter.
[[nodiscard]] inline tensortap::TensorView tensortap_view(const DLManagedTensor& managed, std::string_view name = {}) {
  return tensortap::detail::dlpack::view_of(managed.dl_tensor, name);
}

#if TENSORTAP_DLPACK_HAS_VERSIONS
/// As above. Throws: another major version of DLPack, too.
[[nodiscard]] inline tensortap::TensorView tensortap_view(const DLManagedTensorVersioned& managed,
                                                          std::string_view name = {}) {
  tensortap::detail::dlpack::require_version(managed, name);
  return tensortap::detail::dlpack::view_of(managed.dl_tensor, name);
}
#endif
