// The record of one tensor, made by an encoder of its own.
#pragma once

#include <string>

#include <tensortap/record/event.hpp>
#include <tensortap/record/internal/event_encoder.hpp>
#include <tensortap/tensor/view.hpp>

/// A record without its elements: `head`, the elements, `tail`, one after the other, are the record.
struct EncodedEvent {
  std::string head;
  std::string tail;
};

/// Returns the bytes around the elements of `view`. Strings are in `head`.
inline EncodedEvent encode_event(const tensortap::EventInfo& info, const tensortap::TensorView& view) {
  const tensortap::detail::EventEncoder encoder(info.step);
  EncodedEvent out{{}, std::string(encoder.tail())};
  encoder.append_head(out.head, info.tag, info.wall_time, view);
  return out;
}
