// The collections file of a worker: the collections of the run, the steps and parts they save, and the tensors they
// hold.
//
//   const std::string text = tensortap::to_json(tensortap::CollectionsFile{collections, 1});
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The content of a collections file. A collection without `save` has no save configuration there; one without
/// `save_raw_tensor`, `save_shape` and reductions has no reduction configuration.
struct CollectionsFile {
  std::vector<Collection> collections;
  std::int64_t num_workers = 1;
};

/// Returns the JSON object of one collection.
std::string to_json(const Collection& collection);

/// Returns the text of the file.
std::string to_json(const CollectionsFile& file);

/// Returns the collections in `text`. Messages name `place`, its key.
/// Throws: text that is not JSON or is nested too deeply, values of the wrong kind.
CollectionsFile parse_collections(std::string_view text, std::string_view place);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/record/internal/collections_file_impl.hpp>
#endif
