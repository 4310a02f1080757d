#include <chrono>
#include <ctime>
#include <iomanip>
#include <ratio>
#include <stdexcept>
#include <string>
#include <tensortap/net.hpp>

#include "commands.hpp"
#include "json_text.hpp"
#include "place.hpp"

namespace tensortap_command {

int uploads(const std::string& address, bool drop, double older_than, bool json, std::ostream& out) {
  const Place place = Place::of(address);
  if (!place.remote)
    throw std::runtime_error("uploads: " + tt::in_quotes(address) + ": it is not in S3; write s3://BUCKET/PREFIX");
  tt::S3Store bucket(place.address_of(""));
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  bool left = false;
  for (const tt::S3Upload& upload : bucket.uploads(place.key)) {
    const std::chrono::duration<double, std::ratio<3600>> age = now - upload.begun;
    if (age.count() < older_than) continue;
    if (drop) bucket.drop(upload);
    left = left || !drop;
    if (json) {
      print_json({{"key", upload.key},
                  {"id", upload.id},
                  {"begun", upload.begun.time_since_epoch().count()},
                  {"dropped", drop}},
                 out);
      continue;
    }
    const std::time_t when = upload.begun.time_since_epoch().count();
    std::tm local{};
    ::localtime_r(&when, &local);
    out << (drop ? "dropped: " : "") << std::put_time(&local, "%Y-%m-%d %H:%M:%S") << ' ' << tt::escaped(upload.key)
        << ' ' << tt::escaped(upload.id) << '\n';
  }
  return left ? 1 : 0;
}

}  // namespace tensortap_command
