// Measures reductions and checksums against their peers and against plain reads of the memory.
//
//   reduce_benchmark [OPTION OF GOOGLE BENCHMARK...]    measures <operation>/<dtype>/<implementation>/<elements>
//   reduce_benchmark --ratios[=REGEX]                   measures the implementations in turns and prints a table of
//                                                       ratios for the workloads <operation>/<dtype>/<elements> that
//                                                       match the pattern; exits with 1 if a peer of equal accuracy
//                                                       is faster
//                    --also=FILE                        adds results from a file of lines "NAME NANOSECONDS ERROR"
//                    --chart=FILE                       draws the speeds as SVG
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <new>
#include <numeric>
#include <optional>
#include <random>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <tensortap/tensortap.hpp>

#include "chart.hpp"
#include "peers.hpp"

namespace {

namespace tt = tensortap;
using peers::Piece;
using peers::Pieces;
using peers::Run;
using peers::Values;

constexpr std::size_t most_elements = std::size_t{1} << 26;
constexpr std::size_t elements_for_accuracy = std::size_t{1} << 24;
constexpr std::size_t rounds = 15;
constexpr double least_seconds = 1e-3;  // of a round; faster operations are repeated
constexpr std::size_t rounds_if_slow = 3;
constexpr double slow_seconds = 0.1;
constexpr double equally_accurate = 1e-11;  // the error of sequential sums in double

double median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  return *middle;
}

// Workloads.

struct Workload {
  std::string operation, dtype;
  std::size_t tensors, elements;  // of each tensor

  std::string size() const { return (tensors > 1 ? std::to_string(tensors) + "x" : "") + std::to_string(elements); }
  std::string name() const { return operation + '/' + dtype + '/' + size(); }
  std::string name(const std::string& implementation) const {
    return operation + '/' + dtype + '/' + implementation + '/' + size();
  }
  bool has_two_threads() const { return operation.ends_with("_2_threads"); }
  /// Returns the workload with the number of elements at which the accuracy is measured.
  Workload for_accuracy() const {
    Workload w = *this;
    if (tensors == 1) w.elements = elements_for_accuracy;
    return w;
  }
};

std::vector<Workload> workloads() {
  std::vector<Workload> all;
  const auto add = [&](const char* operation, const char* dtype, std::initializer_list<int> powers) {
    for (const int power : powers) all.push_back({operation, dtype, 1, std::size_t{1} << power});
  };
  for (const char* operation : {"l2", "statistics"}) {
    add(operation, "f32", {4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26});
    for (const char* dtype : {"f64", "bf16", "f16"}) add(operation, dtype, {12, 18, 22, 26});
  }
  for (const char* dtype : {"f32", "f64", "bf16"}) add("units", dtype, {12, 18, 22, 26});
  add("l2_2_threads", "f32", {22, 24, 26});
  for (const char* dtype : {"f32", "f64"}) add("prod", dtype, {12, 18, 24});
  all.push_back({"global_norm", "f32", 1000, 4});
  all.push_back({"global_norm", "f32", 100, 65536});
  add("crc32c", "u8", {6, 12, 16, 24});
  return all;
}

/// Returns almost normal numbers with mean 0 and variance 1: sums of twelve 16-bit integers, which are the same on
/// every machine, divided by a prime: if their squares had few bits, all sums would be rounded the same way.
double normal(std::uint64_t i) {
  std::int64_t sum = -6 * 65535;
  for (std::uint64_t word = 3 * i; word < 3 * i + 3; ++word) {
    std::uint64_t z = (word + 1) * 0x9e3779b97f4a7c15u;  // splitmix64
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    for (int part = 0; part < 64; part += 16) sum += static_cast<std::int64_t>((z >> part) & 0xffffu);
  }
  return static_cast<double>(sum) / 65521;
}

template <class T>
T element(double value) {
  if constexpr (requires { T::from_bits(0); }) {
    return T(static_cast<float>(value));
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(std::llround(value * 256) & 0xff);
  } else {
    return static_cast<T>(value);
  }
}

/// Returns normal numbers, or numbers near 1 for products, aligned to cache lines. Keeps them until the program ends.
template <class T, bool near_one>
const T* elements() {
  static const T* const made = [] {
    const std::size_t count = near_one ? elements_for_accuracy : most_elements;
    T* const all = new (std::align_val_t{64}) T[count];
    for (std::size_t i = 0; i < count; ++i) all[i] = element<T>(near_one ? 1 + normal(i) / 1024 : normal(i));
    return all;
  }();
  return made;
}

/// Calls `f` with an element of the type.
template <class F>
auto with_type(const std::string& dtype, F&& f) {
  if (dtype == "f16") return f(tt::Half{});
  if (dtype == "bf16") return f(tt::BFloat16{});
  if (dtype == "f32") return f(float{});
  if (dtype == "f64") return f(double{});
  return f(std::uint8_t{});
}

/// The tensors; each one begins at a cache line.
std::vector<Piece> pieces_of(const Workload& w) {
  return with_type(w.dtype, [&]<class T>(T) {
    const T* const first = w.operation == "prod" ? elements<T, true>() : elements<T, false>();
    const std::size_t apart = std::max(w.elements, 64 / sizeof(T));
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < w.tensors; ++i)
      pieces.push_back({first + i * apart, w.elements, w.elements * sizeof(T)});
    return pieces;
  });
}

// The implementations of tensortap.

template <class T>
Run ours(const std::string& operation, Pieces pieces) {
  const std::span x(static_cast<const T*>(pieces[0].data), pieces[0].size);
  if (operation == "l2") return [x]() -> Values { return {tt::l2(x)}; };
  if (operation == "statistics")
    return [x]() -> Values {
      const tt::Statistics s = tt::statistics(x);
      benchmark::DoNotOptimize(&s);
      return {s.l2(), s.l1(), s.sum, s.variance()};
    };
  if (operation == "units")  // of a layer of 256 units
    return [x]() -> Values {
      const std::array shape = {static_cast<std::int64_t>(x.size() / 256), std::int64_t{256}};
      double squares = 0;
      for (const auto& unit : tt::unit_statistics(tt::TensorView(x.data(), *tt::dtype_v<T>, shape)).list)
        squares += unit.sum_squares;
      return {std::sqrt(squares)};
    };
  if (operation == "prod") return [x]() -> Values { return {*tt::reduce(tt::as_view(x), tt::Reduction::prod)}; };
  if (operation == "crc32c") return [x]() -> Values { return {static_cast<double>(tt::crc32c(std::as_bytes(x)))}; };
  if (operation == "l2_2_threads") return [x]() -> Values { return {tt::l2(x, {.threads = 2})}; };
  if (operation == "global_norm") {
    std::vector<tt::TensorView> views;
    for (const Piece& piece : pieces)
      views.push_back(tt::as_view(std::span(static_cast<const T*>(piece.data), piece.size)));
    return [views = std::move(views)]() -> Values { return {tt::global_norm(views)}; };
  }
  return {};
}

struct Implementation {
  std::string name;
  std::optional<tt::Isa> isa = {};
  std::function<Run(Pieces)> prepare;

  bool is_ours() const { return name.starts_with("tensortap"); }
  bool is_read() const { return name.starts_with("read_limit"); }
  bool is_peer() const { return !is_ours() && !is_read(); }
};

/// Returns all implementations, those of tensortap first.
std::vector<Implementation> implementations_of(const Workload& w) {
  static const auto peers = peers::all();
  const auto prepare = [w](Pieces pieces) {
    return with_type(w.dtype, [&]<class T>(T) { return ours<T>(w.operation, pieces); });
  };
  std::vector<Implementation> all = {{"tensortap", {}, prepare}};
  for (const tt::Isa isa : tt::all_isas)
    if (is_available(isa) && !w.has_two_threads())
      all.push_back({"tensortap_" + std::string(to_string(isa)), isa, prepare});
  const char* const read = w.has_two_threads() ? "read_2_threads" : "read";
  for (const auto& peer : peers)
    if (peer.operation == read || (peer.operation == w.operation && peer.dtype == w.dtype))
      all.push_back({peer.name, {}, peer.prepare});
  return all;
}

// Accuracy.

/// Returns the values in long double, accurate to 1e-16 here.
std::array<long double, 4> reference(const Workload& w, Pieces pieces) {
  return with_type(w.dtype, [&]<class T>(T) -> std::array<long double, 4> {
    if constexpr (std::is_integral_v<T>) {  // crc32c, bit by bit
      std::uint32_t crc = ~0u;
      for (const T byte : std::span(static_cast<const T*>(pieces[0].data), pieces[0].size)) {
        crc ^= byte;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
      }
      return {static_cast<long double>(~crc)};
    } else {
      long double product = 1, sum = 0, l1 = 0, squares = 0, count = 0;
      for (const Piece& piece : pieces)
        for (const T element : std::span(static_cast<const T*>(piece.data), piece.size)) {
          const auto x = static_cast<long double>(static_cast<std::conditional_t<sizeof(T) == 2, float, T>>(element));
          product *= x;
          sum += x;
          l1 += std::abs(x);
          squares += x * x;
          count += 1;
        }
      if (w.operation == "prod") return {product};
      if (w.operation != "statistics") return {std::sqrt(squares)};
      return {std::sqrt(squares), l1, sum, (squares - sum * sum / count) / count};
    }
  });
}

/// Returns the largest relative error of the values; that of a sum is relative to the sum of magnitudes.
double error(const Values& values, const std::array<long double, 4>& truth) {
  long double most = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const long double scale = i == 2 ? truth[1] : truth[i];
    if (scale != 0) most = std::max(most, std::abs((values[i] - truth[i]) / scale));
  }
  return static_cast<double>(most);
}

/// The error of each implementation, measured once for all sizes.
const std::map<std::string, double>& errors_of(const Workload& workload) {
  static std::map<std::string, std::map<std::string, double>> found;
  const Workload w = workload.for_accuracy();
  auto& errors = found[w.name()];
  if (errors.empty()) {
    const auto pieces = pieces_of(w);
    const auto truth = reference(w, pieces);
    for (const auto& implementation : implementations_of(w)) {
      std::optional<tt::ScopedIsa> isa;
      if (implementation.isa) isa.emplace(*implementation.isa);
      errors[implementation.name] = implementation.is_read() ? 0 : error(implementation.prepare(pieces)(), truth);
    }
  }
  return errors;
}

// Speed.

struct Measured {
  Implementation implementation;
  double error = 0;
  Run run = {};
  std::size_t calls = 1;             // in a round
  std::vector<double> seconds = {};  // of a call, in each round

  double time() const { return median(seconds); }
};

/// Returns the processor time of this thread, which other programs do not change; with a second thread, the wall time.
double seconds(bool two_threads) {
  timespec now{};
  ::clock_gettime(two_threads ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Returns the seconds of a call.
double time_of(const Measured& m, bool two_threads) {
  std::optional<tt::ScopedIsa> isa;
  if (m.implementation.isa) isa.emplace(*m.implementation.isa);
  m.run();  // warms the caches
  const double start = seconds(two_threads);
  for (std::size_t call = 0; call < m.calls; ++call) {
    auto values = m.run();
    benchmark::DoNotOptimize(values);
    benchmark::ClobberMemory();
  }
  return (seconds(two_threads) - start) / static_cast<double>(m.calls);
}

/// Measures all implementations in each round, in changing order, so that noise affects all of them alike.
std::vector<Measured> measure(const Workload& w) {
  const auto pieces = pieces_of(w);
  std::vector<Measured> all;
  for (const auto& implementation : implementations_of(w)) {
    Measured m{implementation, errors_of(w).at(implementation.name), implementation.prepare(pieces)};
    while (time_of(m, w.has_two_threads()) * static_cast<double>(m.calls) < least_seconds) m.calls *= 2;
    all.push_back(std::move(m));
  }
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937 random(4);
  for (std::size_t round = 0; round < rounds; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (const std::size_t i : order) {
      Measured& m = all[i];
      if (round < rounds_if_slow || m.seconds.front() < slow_seconds)
        m.seconds.push_back(time_of(m, w.has_two_threads()));
    }
  }
  return all;
}

/// Returns the ratio of two speeds.
double ratio(const Measured& ours, const Measured& other) {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < std::min(ours.seconds.size(), other.seconds.size()); ++round)
    ratios.push_back(other.seconds[round] / ours.seconds[round]);
  return median(ratios);
}

/// Returns the fastest of the selected implementations.
template <class Meant>
const Measured* fastest(const std::vector<Measured>& all, Meant&& meant) {
  const Measured* best = nullptr;
  for (const Measured& m : all)
    if (meant(m) && (best == nullptr || m.time() < best->time())) best = &m;
  return best;
}

const Measured* fastest_read(const std::vector<Measured>& all) {
  return fastest(all, [](const Measured& m) { return m.implementation.is_read(); });
}

/// Returns whether a peer is as accurate as ours, or nearly.
bool is_equally_accurate(const Measured& peer, const Measured& ours) {
  return peer.implementation.is_peer() && peer.error <= std::max(equally_accurate, ours.error);
}

const Measured* fastest_equal(const std::vector<Measured>& all) {
  return fastest(all, [&](const Measured& m) { return is_equally_accurate(m, all.front()); });
}

/// The results of other programs.
std::vector<Measured> also_measured(const std::string& file, const Workload& w) {
  std::vector<Measured> all;
  std::ifstream in(file);
  std::string name;
  for (double nanoseconds, error; in >> name >> nanoseconds >> error;) {
    const auto begin = name.find('/', name.find('/') + 1) + 1;
    const std::string implementation = name.substr(begin, name.rfind('/') - begin);
    if (name != w.name(implementation)) continue;
    all.push_back({{implementation, {}, {}}, error, {}, 1, std::vector(rounds, nanoseconds * 1e-9)});
  }
  return all;
}

// Output.

std::string text(const char* format, double number) {
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), format, number);
  return out.data();
}

std::string time_text(double seconds) {
  if (seconds < 1e-6) return text("%.1f ns", seconds * 1e9);
  return seconds < 1e-3 ? text("%.1f us", seconds * 1e6) : text("%.1f ms", seconds * 1e3);
}

double gigabytes_per_second(const Workload& w, const Measured& m) {
  return static_cast<double>(pieces_of(w)[0].bytes * w.tensors) / m.time() * 1e-9;
}

void row(const std::vector<std::string>& cells) {
  constexpr std::array widths = {-38, 9, 6, -22, -22, 6, 8};
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    std::array<char, 64> out{};
    std::snprintf(out.data(), out.size(), "%*s  ", i < widths.size() ? widths[i] : 8, cells[i].c_str());
    line += out.data();
  }
  std::cout << line << std::endl;
}

void ratios_header() {
  std::cout << "Speed of tensortap, and how many times that of others it is: medians of " << rounds
            << " rounds by turns, in time of the processor;\none thread, or two and time of the world."
            << " equal peer: the fastest with a relative error of at most " << text("%.0e", equally_accurate)
            << ", or ours.\nLast columns: of an instruction set, as a part of the read limit. error: on "
            << elements_for_accuracy << " normals;\nof statistics, the largest of l2, l1, sum and variance."
            << " global_norm: time per tensor.\n\n";
  std::vector<std::string> cells = {"", "time", "GB/s", "/ equal peer", "/ fastest peer", "/ read", "error"};
  for (const tt::Isa isa : tt::all_isas)
    if (is_available(isa)) cells.emplace_back(to_string(isa));
  row(cells);
}

void ratios_row(const Workload& w, const std::vector<Measured>& all) {
  const Measured& ours = all.front();
  const auto beside = [&](const Measured* other) {
    return other == nullptr ? "" : text("%6.2f ", ratio(ours, *other)) + other->implementation.name;
  };
  const Measured* const read = fastest_read(all);
  std::vector<std::string> cells = {w.name(),
                                    time_text(ours.time() / static_cast<double>(w.tensors)),
                                    text("%.1f", gigabytes_per_second(w, ours)),
                                    beside(fastest_equal(all)),
                                    beside(fastest(all, [](const Measured& m) { return m.implementation.is_peer(); })),
                                    text("%.2f", ratio(ours, *read)),
                                    text("%.1e", ours.error)};
  for (const Measured& m : all)
    if (m.implementation.isa) cells.push_back(text("%.2f", ratio(m, *read)));
  row(cells);
}

/// Returns all others, if the accuracy was measured.
void other_rows(const Workload& w, const std::vector<Measured>& all) {
  for (const Measured& m : all)
    if (m.implementation.is_peer() || &m == fastest_read(all))
      row({w.name(m.implementation.name), time_text(m.time() / static_cast<double>(w.tensors)),
           text("%.1f", gigabytes_per_second(w, m)), text("%6.2f", ratio(all.front(), m)), text("%.1e", m.error)});
}

/// Returns the color of a library.
const char* color_of(const Implementation& i) {
  constexpr std::array ours = {"#9bbce8", "#2a78d6", "#7aa9e6", "#5090e0",
                               "#2a78d6"};  // in the order of the instruction sets
  constexpr std::array others = {"#eb6834", "#1baf7a", "#e87ba4", "#eda100", "#8a6d3b", "#8e5fd0"};
  static std::vector<std::string> libraries;
  if (i.is_read()) return "#888";
  if (i.isa) return ours[static_cast<std::size_t>(*i.isa)];
  const std::string library = i.name.substr(0, i.name.find('_'));
  const auto found = std::find(libraries.begin(), libraries.end(), library);
  const auto index = static_cast<std::size_t>(found - libraries.begin());
  if (found == libraries.end()) libraries.push_back(library);
  return others[index % others.size()];
}

/// Adds the results of one size to the lines of a panel. Lines of inaccurate peers are dashed, with their error.
void plot(chart::Panel& panel, const Workload& w, const std::vector<Measured>& all) {
  const auto add = [&](const std::string& name, double width, const Measured& m, chart::Style style = {}) {
    auto line = std::find_if(panel.lines.begin(), panel.lines.end(), [&](const auto& l) { return l.name == name; });
    if (line == panel.lines.end())
      line = panel.lines.insert(line, {name, color_of(m.implementation), width, {}, style});
    line->points.push_back({static_cast<double>(w.elements), gigabytes_per_second(w, m)});
  };
  add("read limit", 1.5, *fastest_read(all), chart::Style::dotted);
  for (const Measured& m : all) {
    if (is_equally_accurate(m, all.front()))
      add(m.implementation.name, 1.2, m);
    else if (m.implementation.is_peer())
      add(m.implementation.name + ", error " + text("%.0e", m.error), 1.2, m, chart::Style::dashed);
    if (m.implementation.isa) add(m.implementation.name, 2.5, m);
  }
}

/// Returns the name of this processor, with the numbers of its family and model, which a virtual machine leaves.
std::string processor_name() {
  std::map<std::string, std::string> found;
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line) && !line.empty();)
    if (const auto colon = line.find(':'); colon != std::string::npos && colon + 2 < line.size())
      found.emplace(line.substr(0, line.find_first_of("\t:")), line.substr(colon + 2));
  if (found.empty()) return "unknown processor";
  return found["model name"] + " (family " + found["cpu family"] + ", model " + found["model"] + ")";
}

/// Prints the ratios of all workloads that match, and draws the speeds. Returns whether no peer of equal accuracy is
/// faster, beyond noise, at any size.
bool print_ratios(const std::string& pattern, const std::string& also, const std::string& chart_file) {
  constexpr double noise = 0.05;
  const std::string on = " on " + processor_name();
  std::map<std::string, chart::Panel> panels = {{"l2/f32/", {"l2 of float32" + on, {}}},
                                                {"statistics/f32/", {"all statistics of float32" + on, {}}}};
  std::vector<std::string> slower;
  std::vector<std::function<void()>> later;
  ratios_header();
  for (const Workload& w : workloads()) {
    if (!std::regex_search(w.name(), std::regex(pattern))) continue;
    auto all = measure(w);
    for (auto& other : also_measured(also, w)) all.push_back(std::move(other));
    ratios_row(w, all);
    if (const Measured* const peer = fastest_equal(all); peer != nullptr && ratio(all.front(), *peer) < 1 - noise)
      slower.push_back(w.name() + text(": %.2f of the speed of ", ratio(all.front(), *peer)) +
                       peer->implementation.name);
    if (const auto panel = panels.find(w.operation + '/' + w.dtype + '/'); panel != panels.end())
      plot(panel->second, w, all);
    if (w.elements == w.for_accuracy().elements) later.push_back([=] { other_rows(w, all); });
  }
  std::cout << '\n';
  row({"others", "time", "GB/s", "tensortap / it", "error"});
  for (const auto& print : later) print();
  std::cout << "\nPeers of equal accuracy that are faster, by more than " << noise * 100 << " %: " << slower.size()
            << on << '\n';
  for (const std::string& line : slower) std::cout << line << '\n';
  if (!chart_file.empty())
    std::ofstream(chart_file) << chart::svg({panels.at("l2/f32/"), panels.at("statistics/f32/")});
  return slower.empty();
}

void register_with_google_benchmark() {
  for (const Workload& w : workloads())
    for (const auto& implementation : implementations_of(w)) {
      const auto body = [=](benchmark::State& state) {
        const auto pieces = pieces_of(w);
        const Run run = implementation.prepare(pieces);
        std::optional<tt::ScopedIsa> isa;
        if (implementation.isa) isa.emplace(*implementation.isa);
        for (auto _ : state) {
          auto values = run();
          benchmark::DoNotOptimize(values);
          benchmark::ClobberMemory();
        }
        state.SetBytesProcessed(static_cast<std::int64_t>(pieces[0].bytes * pieces.size()) * state.iterations());
      };
      auto* const registered = benchmark::RegisterBenchmark(w.name(implementation.name).c_str(), body);
      if (w.has_two_threads()) registered->UseRealTime();
    }
}

}  // namespace

int main(int argc, char** argv) {
  std::optional<std::string> pattern;
  std::string also, chart_file;
  for (const std::string_view argument : std::span(argv, static_cast<std::size_t>(argc)).subspan(1)) {
    const std::string value(argument.substr(std::min(argument.find('='), argument.size() - 1) + 1));
    if (argument.starts_with("--ratios")) pattern = value;
    if (argument.starts_with("--also=")) also = value;
    if (argument.starts_with("--chart=")) chart_file = value;
  }
  if (pattern) return print_ratios(*pattern, also, chart_file) ? 0 : 1;
  register_with_google_benchmark();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
