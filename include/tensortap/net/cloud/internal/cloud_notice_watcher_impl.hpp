// The bodies of cloud_notice_watcher.hpp: the thread that asks.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/fork_guard.hpp>
#include <tensortap/internal/thread.hpp>
#include <tensortap/net/cloud/cloud_notice_watcher.hpp>
#include <tensortap/net/cloud/internal/cloud_detection.hpp>
#include <tensortap/net/cloud/internal/cloud_services.hpp>
#include <tensortap/net/cloud/internal/metadata_session.hpp>
#include <tensortap/net/cloud/internal/notice_board.hpp>
#include <tensortap/net/http/http_client.hpp>
#include <tensortap/net/http/url.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

class CloudNoticeState {
 public:
  using Clock = StopSignal::Clock;
  using Duration = Clock::duration;

  explicit CloudNoticeState(CloudNoticeOptions options) : options_(std::move(options)) {
    for (const auto& [name, value] :
         {std::pair("interval", options_.interval), std::pair("timeout", options_.timeout),
          std::pair("slow_interval", options_.slow_interval), std::pair("lead", options_.lead)}) {
      if (value <= Duration::zero() || value > longest)
        throw Error::bad_cloud_notice(name, "it is not between 1 ns and 20 days; leave it out for the default");
    }
    if (options_.grace && (*options_.grace < Duration::zero() || *options_.grace > longest))
      throw Error::bad_cloud_notice("grace", "it is not between 0 and 20 days; leave it out for what the cloud says");
    service_ = service_of(cloud_to_ask(options_));
    if (service_ == nullptr) return;
    const Url base = endpoint_of(*service_, options_);
    if (!options_.transport) {
      const auto connect = std::chrono::ceil<std::chrono::milliseconds>(options_.timeout);
      client_ = std::make_unique<HttpClient>(HttpOptions{.connect_timeout = connect,
                                                         .idle_timeout = longest,  // the deadlines end exchanges
                                                         .max_idle_connections = 1,
                                                         .proxy = ""});
      options_.transport = [this](const HttpRequest& request) { return client_->exchange(request); };
    }
    session_ = std::make_unique<MetadataSession>(*service_, base, options_.transport, options_.timeout,
                                                 stop_source_.get_token());
    const std::size_t sources = service_->sources.size();
    board_ = std::make_unique<NoticeBoard>(service_->cloud, sources, options_.grace);
    progress_.resize(sources);
    status_.cloud = service_->cloud;
    status_.service = session_->address();
    try {
      thread_ = start_thread([this] { watch(); });
    } catch (const std::system_error& failure) {  // the training goes on without notices
      failed(failure.what());
      call([&] {
        if (options_.on_trouble) options_.on_trouble(std::string("cloud notices: no thread: ") + failure.what());
      });
    }
  }
  CloudNoticeState(const CloudNoticeState&) = delete;
  CloudNoticeState& operator=(const CloudNoticeState&) = delete;

  /// Ends the thread. Returns false if that cannot be: a forked child has no such thread, and a callback that ends the
  /// program cannot wait for itself. This object then stays for good.
  bool end() {
    if (fork_guard_.is_child()) return false;
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    wake_.notify_all();
    stop_source_.request_stop();
    if (!thread_.joinable()) return true;
    if (thread_.get_id() == std::this_thread::get_id()) return false;
    thread_.join();
    return true;
  }

  [[nodiscard]] const StopSignal& signal() const noexcept { return options_.stop; }

  [[nodiscard]] CloudNoticeStatus status() const {
    if (fork_guard_.is_child()) return {};
    const std::lock_guard lock(mutex_);
    return status_;
  }

  std::size_t acknowledge() {
    if (service_ == nullptr || !service_->has_acknowledgement || fork_guard_.is_child()) return 0;
    std::vector<std::string> ids;
    {
      const std::lock_guard lock(mutex_);
      ids = board_->startable();
    }
    if (ids.empty()) return 0;
    nlohmann::json body{{"StartRequests", nlohmann::json::array()}};
    for (const std::string& id : ids) body["StartRequests"].push_back({{"EventId", id}});
    const NoticeSource& source = service_->sources.front();
    const MetadataAnswer answer = session_->post(source.path, std::string(source.query), body.dump());
    if (answer.cause.empty()) return ids.size();
    const std::lock_guard lock(mutex_);
    ++status_.unusable;
    status_.last_cause = answer.cause;
    return 0;
  }

 private:
  static constexpr std::chrono::hours longest{24 * 20};  // of a duration; poll() takes no more than 24 days

  /// How far one source is.
  struct Progress {
    Clock::time_point due{};
    std::string etag = {};  // of the last reply, for a request that waits for another one
  };

  void watch() noexcept {
    for (int useless = 0;;) {  // rounds in a row without a usable reply
      const Clock::time_point begin = Clock::now();
      bool usable = false;
      try {
        usable = round();
      } catch (const std::exception& failure) {  // memory or a thread is lacking
        failed(failure.what());
      } catch (...) {
        failed("an unknown exception");
      }
      useless = usable ? 0 : std::min(useless + 1, most_useless);
      if (!pause(begin, useless == most_useless)) return;
    }
  }

  /// Asks all sources that are due. Returns whether any reply was usable.
  bool round() {
    bool usable = false;
    {
      const std::lock_guard lock(mutex_);
      ++status_.rounds;
    }
    for (std::size_t i = 0; i < service_->sources.size(); ++i) {
      const NoticeSource& source = service_->sources[i];
      const Clock::time_point now = Clock::now();
      if (now < progress_[i].due) continue;
      const MetadataAnswer answer = ask(source, progress_[i]);
      if (answer.is_stopped) return true;
      ReadNotices read;
      if (answer.cause.empty() && answer.reply.status == 404) read.emplace();
      if (answer.cause.empty() && answer.reply.status == 200) read = source.read(answer.reply.body);
      if (read) {
        usable = true;
        if (source.apart > std::chrono::seconds(0)) progress_[i].due = now + source.apart;
        take(i, std::move(*read), answer.reply);
      } else {
        usable = usable || answer.is_busy;  // it is there, and has to be asked again
        failed(answer.cause.empty() ? std::string(source.path) + " was answered with something else" : answer.cause);
        if (answer.is_silent) break;
      }
    }
    return usable;
  }

  MetadataAnswer ask(const NoticeSource& source, Progress& progress) {
    {
      const std::lock_guard lock(mutex_);
      ++status_.requests;
    }
    std::string query(source.query);
    std::chrono::seconds patience{0};
    if (source.waits && !progress.etag.empty()) {
      const Duration until_due = next_due() - Clock::now();
      patience = std::chrono::ceil<std::chrono::seconds>(std::min(interval(), std::max(until_due, Duration::zero())));
      patience = std::max(patience, std::chrono::seconds(1));
      query = "wait_for_change=true&timeout_sec=" + std::to_string(patience.count()) + "&last_etag=" + progress.etag;
    }
    MetadataAnswer answer = session_->get(source.path, query, source.absent_is_404, patience);
    const bool could_wait = !progress.etag.empty();
    progress.etag = answer.cause.empty() && source.waits ? usable_etag(answer.reply) : "";
    waits_next_ = waits_next_ || (!could_wait && !progress.etag.empty());
    return answer;
  }

  /// Returns the ETag of `reply`, as it is sent back; empty if it has none.
  static std::string usable_etag(const HttpReply& reply) {
    const std::string_view etag = reply.header("etag");
    return etag.size() > 128 ? std::string() : percent_encoded(etag);
  }

  /// Takes the notices of a source: those of this machine request the stop, then the callback sees the new ones.
  void take(std::size_t source, std::vector<ReadNotice> read, const HttpReply& reply) {
    std::erase_if(read, [this](const ReadNotice& notice) { return !concerns_this_machine(notice); });
    std::vector<CloudNotice> fresh;
    {
      const std::lock_guard lock(mutex_);
      fresh = board_->update(source, read, reply);
      board_->request_due(options_.stop, options_.lead);
      for (const CloudNotice& notice : fresh) ++(notice.is_advice ? status_.advice : status_.notices);
    }
    if (options_.on_notice)
      for (const CloudNotice& notice : fresh) call([&] { options_.on_notice(notice); });
  }

  /// Returns whether a notice that names machines names this one. If the cloud does not tell the name of this one,
  /// every notice concerns it.
  bool concerns_this_machine(const ReadNotice& notice) {
    if (notice.machines.empty()) return true;
    if (options_.machine.empty()) {
      const MetadataAnswer answer = session_->get(service_->name_path, std::string(service_->name_query));
      const std::string_view name = one_line(answer.reply.body);
      constexpr std::string_view not_of_names("<>{} \t\r\n\"");
      if (!answer.cause.empty() || name.empty() || name.size() > 128 ||
          name.find_first_of(not_of_names) != std::string_view::npos)
        return true;
      options_.machine = name;
    }
    return std::any_of(notice.machines.begin(), notice.machines.end(), [this](const std::string& machine) {
      return lower_case(machine) == lower_case(options_.machine);
    });
  }

  template <class Call>
  void call(const Call& call) {
    try {
      call();
    } catch (...) {  // a callback never ends the training
      const std::lock_guard lock(mutex_);
      ++status_.thrown;
    }
  }

  void failed(std::string_view cause) noexcept {
    const std::lock_guard lock(mutex_);
    ++status_.unusable;
    try {
      status_.last_cause = cause;
    } catch (const std::bad_alloc&) {  // the count tells enough
    }
  }

  [[nodiscard]] Duration interval() const {
    const Duration longest_of_cloud = service_->longest_interval;
    return longest_of_cloud > Duration::zero() ? std::min(options_.interval, longest_of_cloud) : options_.interval;
  }

  [[nodiscard]] Clock::time_point next_due() {
    const std::lock_guard lock(mutex_);
    return board_->next_due(options_.lead);
  }

  /// Waits until the next round. Returns false if there is none.
  bool pause(Clock::time_point begin, bool is_slowed) noexcept {
    Clock::time_point next = begin + (is_slowed ? std::max(interval(), options_.slow_interval) : interval());
    if (std::exchange(waits_next_, false)) next = begin;
    std::unique_lock lock(mutex_);
    status_.is_slowed = is_slowed;
    if (is_slowed && !std::exchange(was_said_, true) && options_.on_trouble && !is_ending_) {
      lock.unlock();
      call([this] { options_.on_trouble(trouble()); });
      lock.lock();
    }
    for (;;) {
      board_->request_due(options_.stop, options_.lead);  // also if the service is silent meanwhile
      const Clock::time_point until = std::min(next, board_->next_due(options_.lead));
      if (wake_.wait_until(lock, until, [this] { return is_ending_; })) return false;
      if (Clock::now() >= next) return true;
    }
  }

  /// Returns the message for `on_trouble`.
  [[nodiscard]] std::string trouble() const {
    const CloudNoticeStatus now = status();
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(std::max(interval(), options_.slow_interval)).count();
    return "cloud notices: " + std::string(to_string(now.cloud)) + ": " + now.service +
           " gave no usable reply three times in a row (" + now.last_cause + "), and is asked every " +
           std::to_string(seconds) + " s from now on; in a container allow one more hop, or choose Cloud::none";
  }

  static constexpr int most_useless = 3;

  CloudNoticeOptions options_;
  const CloudService* service_ = nullptr;
  ForkGuard fork_guard_;
  std::stop_source stop_source_;
  std::unique_ptr<HttpClient> client_;
  std::unique_ptr<MetadataSession> session_;
  std::vector<Progress> progress_;  // by source; of the thread, as the next one
  bool waits_next_ = false;         // a service can now hold its reply back: no pause is needed
  mutable std::mutex mutex_;        // guards the fields below, except the thread
  std::unique_ptr<NoticeBoard> board_;
  CloudNoticeStatus status_;
  bool is_ending_ = false;
  bool was_said_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace detail

TENSORTAP_INLINE CloudNoticeWatcher::CloudNoticeWatcher(CloudNoticeOptions options)
    : state_(std::make_unique<detail::CloudNoticeState>(std::move(options))) {}

TENSORTAP_INLINE CloudNoticeWatcher::~CloudNoticeWatcher() {
  if (!state_->end()) static_cast<void>(state_.release());
}

TENSORTAP_INLINE const StopSignal& CloudNoticeWatcher::signal() const noexcept { return state_->signal(); }

TENSORTAP_INLINE CloudNoticeStatus CloudNoticeWatcher::status() const { return state_->status(); }

TENSORTAP_INLINE std::size_t CloudNoticeWatcher::acknowledge() noexcept {
  try {
    return state_->acknowledge();
  } catch (...) {  // memory is lacking
    return 0;
  }
}

TENSORTAP_END_NAMESPACE
