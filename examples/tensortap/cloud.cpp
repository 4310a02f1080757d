#include <memory>
#include <tensortap/net.hpp>

#include "commands.hpp"

namespace tensortap_command {

std::shared_ptr<const void> watch_cloud(const tensortap::StopSignal& stop) {
  return std::make_shared<tensortap::CloudNoticeWatcher>(tensortap::CloudNoticeOptions{.stop = stop});
}

}  // namespace tensortap_command
