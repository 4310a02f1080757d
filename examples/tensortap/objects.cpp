#include <ctime>
#include <iomanip>
#include <string>
#include <tensortap/net.hpp>

#include "commands.hpp"
#include "place.hpp"

namespace tensortap_command {

int list_objects(const std::string& address, bool recursive, std::ostream& out) {
  const Place place = Place::of(address);
  tt::S3Options options;
  options.retry.attempts = 4;  // a user waits
  const tt::S3Store bucket(place.address_of(""), options);
  const std::string parent = recursive ? "" : place.key.substr(0, place.key.rfind('/') + 1);
  std::size_t count = 0;
  bucket.list_raw(place.key, !recursive, [&](const tt::S3Entry& entry) {
    ++count;
    const std::string name = tt::escaped(entry.key.substr(parent.size()));
    if (entry.is_folder) {
      out << std::setw(30) << "PRE" << ' ' << name << '\n';
      return;
    }
    const std::time_t when = entry.last_modified.time_since_epoch().count();
    std::tm local{};
    ::localtime_r(&when, &local);
    out << std::put_time(&local, "%Y-%m-%d %H:%M:%S") << ' ' << std::setw(10) << entry.size << ' ' << name << '\n';
  });
  return count == 0 && !place.key.empty() ? 1 : 0;
}

}  // namespace tensortap_command
