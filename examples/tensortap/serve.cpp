#include <httplib.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <ostream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <tensortap/net.hpp>
#include <tensortap/report.hpp>
#include <tensortap/report/internal/html_text.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "read_report.hpp"
#include "runs.hpp"
#include "stop_by_signal.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace tt = tensortap;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t most_clients = 100;                // that wait for events
constexpr std::chrono::seconds poll_interval{1};         // of a run
constexpr std::chrono::seconds silence{15};              // after which a client is told that the server lives
constexpr std::chrono::milliseconds stop_interval{100};  // in which a stop is seen

/// A run, and its page, which is made when a client asks for it and the run has changed. Threads: any.
class ServedRun {
 public:
  ServedRun(std::string address, std::string name) : address_(std::move(address)), name_(std::move(name)) {}

  /// Returns a text that changes with the run; it is as old as `poll_interval`.
  std::string version() {
    const std::lock_guard lock(version_mutex_);
    if (version_.empty() || Clock::now() - looked_ >= poll_interval) {
      const tt::RunOutline outline = tt::outline_of(*tt::open_store(address_));
      version_ = std::to_string(outline.steps.size()) + "." + std::to_string(outline.attempts) + "." +
                 (outline.steps.empty() ? "" : std::to_string(outline.steps.back())) + (outline.ended ? ".ended" : "");
      looked_ = Clock::now();
    }
    return version_;
  }

  /// Returns the page. A run that changes all the time gets a new one after three times what the last one has taken.
  std::shared_ptr<const std::string> page() {
    const std::string now = version();
    const std::lock_guard lock(page_mutex_);
    const auto begin = Clock::now();
    if (page_ && (now == page_version_ || begin - made_ < 3 * cost_)) return page_;
    std::ostringstream out;
    tt::write_page({read_report(address_, {.name = name_})}, out);
    page_ = std::make_shared<const std::string>(std::move(out).str());
    page_version_ = now;
    made_ = Clock::now();
    cost_ = made_ - begin;
    return page_;
  }

 private:
  const std::string address_, name_;
  std::mutex version_mutex_, page_mutex_;  // the latter is taken first
  std::string version_, page_version_;
  std::shared_ptr<const std::string> page_;
  Clock::time_point looked_, made_;
  Clock::duration cost_{};
};

/// The runs at a place: one, or those of a directory. Threads: any.
class ServedRuns {
 public:
  explicit ServedRuns(std::string place) : place_(std::move(place)) {
    while (place_.size() > 1 && place_.ends_with('/')) place_.pop_back();
    is_one_ = is_run(tt::outline_of(*tt::open_store(place_)));
  }

  [[nodiscard]] bool is_one() const noexcept { return is_one_; }
  [[nodiscard]] const std::string& place() const noexcept { return place_; }

  /// Returns the names of the runs, sorted; of one run that of its directory.
  [[nodiscard]] std::vector<std::string> names() const {
    if (is_one_) return {place_.substr(place_.rfind('/') + 1)};
    std::vector<std::string> out;
    for (const std::string& run : runs_in(place_)) out.push_back(run.substr(std::min(place_.size() + 1, run.size())));
    return out;
  }

  /// Returns the run; null if the place has none of this name, whatever the name holds.
  std::shared_ptr<ServedRun> find(const std::string& name) {
    const std::vector<std::string> known = names();
    if (std::find(known.begin(), known.end(), name) == known.end()) return nullptr;
    const std::lock_guard lock(mutex_);
    std::shared_ptr<ServedRun>& run = runs_[name];
    if (!run) run = std::make_shared<ServedRun>(is_one_ ? place_ : place_ + "/" + name, name);
    return run;
  }

 private:
  std::string place_;
  bool is_one_ = false;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<ServedRun>> runs_;
};

constexpr std::string_view style = R"css(
:root { color-scheme: light dark; }
body { margin: 0; font: 14px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 1rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid #8884; overflow-wrap: anywhere; }
p.state { margin: 0; padding: 2px 16px; font-size: 12px; }
iframe { border: 0; width: 100%; height: calc(100vh - 26px); display: block; }
)css";

/// Loads the page again when the run has changed, and shows the same part of it.
constexpr std::string_view script = R"js(
const frame = document.querySelector('iframe'), state = document.querySelector('.state');
const events = new EventSource(frame.dataset.events);
let shown = frame.dataset.version;
events.onopen = () => { state.textContent = 'live'; };
events.onerror = () => { state.textContent = 'the server does not answer; this is what it has sent last'; };
events.onmessage = event => {
  if (event.data === shown) return;
  shown = event.data;
  const {scrollX, scrollY} = frame.contentWindow;
  frame.addEventListener('load', () => frame.contentWindow.scrollTo(scrollX, scrollY), {once: true});
  frame.contentWindow.location.reload();
};
)js";

std::string in_url(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    char code[4];
    (void)std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    out += is_plain ? std::string(1, c) : code;
  }
  return out;
}

std::string document(const std::string& title, const std::string& head, const std::string& body) {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
         "content=\"width=device-width, initial-scale=1\">\n<title>" +
         title + "</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n" + head + "</head>\n<body>\n" + body +
         "</body>\n</html>\n";
}

std::string list_page(const ServedRuns& runs) {
  const std::string place = tt::detail::html_text(runs.place());
  std::string rows;
  for (const std::string& name : runs.names()) {
    std::string state, steps;
    try {
      const tt::RunOutline outline = tt::outline_of(*tt::open_store(runs.place() + "/" + name));
      state = outline.ended ? "ended" : "running or interrupted";
      steps = std::to_string(outline.steps.size());
    } catch (const tt::Error& e) {
      state = e.what();
    }
    rows += "<tr><td><a href=\"/run?name=" + in_url(name) + "\">" + tt::detail::html_text(name) + "</a></td><td>" +
            tt::detail::html_text(state) + "</td><td>" + steps + "</td></tr>\n";
  }
  return document("runs in " + place, "<meta http-equiv=\"refresh\" content=\"5\">\n",
                  "<main><h1>Runs in " + place +
                      "</h1>\n<table><thead><tr><th>run</th><th>state</th><th>steps</th></tr></thead>\n<tbody>\n" +
                      (rows.empty() ? "<tr><td colspan=\"3\">none yet</td></tr>\n" : rows) +
                      "</tbody></table></main>\n");
}

std::string live_page(const std::string& name) {
  const std::string title = tt::detail::html_text(name), query = "?name=" + in_url(name);
  return document(title, "",
                  "<p class=\"state\" role=\"status\"></p>\n<iframe title=\"" + title + "\" src=\"/page" + query +
                      "\" data-events=\"/events" + query + "\"></iframe>\n<script src=\"/live.js\"></script>\n");
}

/// The server. Threads: a request is answered by any of its own.
class RunServer {
 public:
  RunServer(const std::string& place, const Serve& how, std::stop_token stop)
      : runs_(place), names_(how.names.begin(), how.names.end()), stop_(std::move(stop)) {
    for (const char* const name : {"localhost", "127.0.0.1", "[::1]"}) names_.insert(name);
    names_.insert(how.host.find(':') == std::string::npos ? how.host : "[" + how.host + "]");
    // Clients that wait for events keep a thread each.
    server_.new_task_queue = [] { return new httplib::ThreadPool(most_clients + 16); };
    server_.set_read_timeout(std::chrono::seconds(5));
    server_.set_write_timeout(std::chrono::seconds(5));
    server_.set_payload_max_length(0);
    server_.set_socket_options([](int socket) {  // the default would share the port with another server
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server_.set_default_headers({{"Cache-Control", "no-store"},
                                 {"X-Content-Type-Options", "nosniff"},
                                 {"Referrer-Policy", "no-referrer"},
                                 {"Cross-Origin-Resource-Policy", "same-origin"}});
    server_.set_pre_routing_handler(
        [this](const httplib::Request& request, httplib::Response& response) { return refuse(request, response); });
    server_.set_exception_handler([](const httplib::Request&, httplib::Response& response, std::exception_ptr failure) {
      response.status = 500;
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& e) {
        response.set_content(tt::escaped(e.what()) + "\n", "text/plain; charset=utf-8");
      }
    });
    add_pages();
  }

  /// Serves until a stop is requested. Throws: the port is taken.
  void serve(const Serve& how, std::ostream& out) {
    const int port =
        how.port == 0 ? server_.bind_to_any_port(how.host) : (server_.bind_to_port(how.host, how.port) ? how.port : -1);
    if (port < 0)
      throw std::runtime_error("serve: " + tt::in_quotes(how.host + ":" + std::to_string(how.port)) +
                               ": it cannot be bound; choose another --port, or 0 for a free one");
    const std::string host = how.host.find(':') == std::string::npos ? how.host : "[" + how.host + "]";
    out << "http://" << host << ':' << port << "/ shows " << tt::escaped(runs_.place()) << "; Ctrl-C ends it"
        << std::endl;
    const std::stop_callback stop(stop_, [this] { server_.stop(); });
    if (!stop_.stop_requested()) server_.listen_after_bind();
  }

 private:
  using Answer = httplib::Server::HandlerResponse;

  /// Refuses what no browser of this machine asks for: other methods, and names that an attacker's page has bound to
  /// it.
  Answer refuse(const httplib::Request& request, httplib::Response& response) const {
    if (request.method != "GET" && request.method != "HEAD") {
      response.status = 405;
      response.set_header("Allow", "GET, HEAD");
      return Answer::Handled;
    }
    constexpr std::size_t most_headers = 100;
    if (request.headers.size() > most_headers) {
      response.status = 431;
      return Answer::Handled;
    }
    std::string host = request.get_header_value("Host");
    if (const std::size_t colon = host.rfind(':');
        colon != std::string::npos && host.find(']', colon) == std::string::npos)
      host.resize(colon);
    if (request.get_header_value_count("Host") == 1 && names_.contains(host)) return Answer::Unhandled;
    response.status = 403;
    response.set_content("this server has another name; see --name\n", "text/plain; charset=utf-8");
    return Answer::Handled;
  }

  void add_pages() {
    const auto page = [](httplib::Response& response, const std::string& text) {
      response.set_header(
          "Content-Security-Policy",
          "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
      response.set_content(text, "text/html; charset=utf-8");
    };
    server_.Get("/", [this, page](const httplib::Request&, httplib::Response& response) {
      page(response, runs_.is_one() ? live_page(runs_.names().front()) : list_page(runs_));
    });
    server_.Get("/run", [this, page](const httplib::Request& request, httplib::Response& response) {
      if (find(request, response)) page(response, live_page(request.get_param_value("name")));
    });
    server_.Get("/page", [this](const httplib::Request& request, httplib::Response& response) {
      const auto run = find(request, response);
      if (!run) return;
      response.set_header("Content-Security-Policy", "frame-ancestors 'self'");
      response.set_content(*run->page(), "text/html; charset=utf-8");
    });
    server_.Get("/events", [this](const httplib::Request& request, httplib::Response& response) {
      if (const auto run = find(request, response)) send_events(run, response);
    });
    server_.Get("/style.css", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(style.data(), style.size(), "text/css; charset=utf-8");
    });
    server_.Get("/live.js", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(script.data(), script.size(), "text/javascript; charset=utf-8");
    });
  }

  std::shared_ptr<ServedRun> find(const httplib::Request& request, httplib::Response& response) {
    auto run = runs_.find(request.get_param_value("name"));
    if (!run) {
      response.status = 404;
      response.set_content("there is no such run\n", "text/plain; charset=utf-8");
    }
    return run;
  }

  /// Sends the version of the run whenever it changes.
  void send_events(const std::shared_ptr<ServedRun>& run, httplib::Response& response) {
    if (clients_.fetch_add(1) >= most_clients) {
      --clients_;
      response.status = 503;
      response.set_header("Retry-After", "10");
      return;
    }
    response.set_chunked_content_provider(
        "text/event-stream",
        [this, run, sent = std::string(), heard = Clock::now()](std::size_t, httplib::DataSink& sink) mutable {
          const auto send = [&](const std::string& text) {
            heard = Clock::now();
            return sink.write(text.data(), text.size());
          };
          while (!stop_.stop_requested()) {
            std::string version;
            try {
              version = run->version();
            } catch (const std::exception&) {  // the store fails: perhaps only now
            }
            if (!version.empty() && version != sent) {
              sent = version;
              return send("data: " + sent + "\n\n");
            }
            if (Clock::now() - heard >= silence) return send(": still here\n\n");
            for (auto waited = std::chrono::milliseconds(0); waited < poll_interval && !stop_.stop_requested();
                 waited += stop_interval) {
              if (!sink.is_writable()) return false;
              std::this_thread::sleep_for(stop_interval);
            }
          }
          sink.done();
          return true;
        },
        [this](bool) { --clients_; });
  }

  ServedRuns runs_;
  std::set<std::string> names_;  // that a Host header may have
  const std::stop_token stop_;
  std::atomic<std::size_t> clients_ = 0;
  httplib::Server server_;
};

}  // namespace

int serve(const std::string& place, const Serve& how, std::ostream& out) {
  const StopBySignal stop;
  RunServer(place, how, stop.token()).serve(how, out);
  return 0;
}

}  // namespace tensortap_command
