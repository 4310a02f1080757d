#include <memory>
#include <ostream>
#include <string>

#include "command_line.hpp"
#include "commands.hpp"
#include "options.hpp"

namespace tensortap_command {

namespace {

struct Copying {
  std::string from, to;
  Copy how;
};

/// Adds what cp and sync have in common.
void add_copy(CLI::App* to, Copying& given, const char* places) {
  Copy& how = given.how;
  to->add_option("FROM", given.from, places)->required();
  to->add_option("TO", given.to, places)->required();
  for (const bool wanted : {false, true})
    to->add_option_function<std::string>(
          wanted ? "--include" : "--exclude",
          [&how, wanted](const std::string& pattern) {
            how.filters.push_back({pattern, wanted});
          },
          wanted ? "copy files that match this pattern"
                 : "skip files that match this pattern; of several patterns that match, the last one decides")
        ->trigger_on_parse()
        ->take_last();
  to->add_flag_callback(
      "--no-follow-symlinks", [&how] { how.links = Links::pass_over; },
      "pass over symbolic links; else their targets are sent");
  to->add_flag("--dryrun", how.dry_run, "print what would be done, and do nothing");
  to->add_flag("--quiet", how.quiet, "print errors only");
  to->add_option("--connections", how.connections, "largest number of connections")->check(CLI::Range(1, 256));
}

void add_cp(CommandLine& line) {
  const auto given = std::make_shared<Copying>();
  CLI::App* cp = line.add("cp", "Copies a file to S3 or an object from S3.",
                          "  tensortap cp model.bin s3://bucket/models/\n"
                          "  tensortap cp s3://bucket/42/metadata.json -  # to standard output\n"
                          "  tensortap cp --recursive checkpoints s3://bucket/42 --exclude '*.tmp'");
  add_copy(cp, *given, "path, s3://BUCKET/KEY, or - for standard input or output");
  cp->add_flag("--recursive", given->how.recursive, "copy everything below a directory or a prefix");

  line.on(cp, [given](std::ostream& out) { return copy(given->from, given->to, given->how, out); });
}

void add_sync(CommandLine& line) {
  const auto given = std::make_shared<Copying>();
  CLI::App* sync = line.add("sync", "Copies the files that differ in size or time between a directory and a prefix.",
                            "  tensortap sync checkpoints s3://bucket/42\n"
                            "  tensortap sync s3://bucket/42 checkpoints --delete --dryrun");
  add_copy(sync, *given, "directory or s3://BUCKET/PREFIX");
  sync->add_flag("--delete", given->how.remove, "remove files that the source does not have");

  line.on(sync,
          [given](std::ostream& out) { return tensortap_command::sync(given->from, given->to, given->how, out); });
}

void add_uploads(CommandLine& line) {
  struct Given {
    std::string place;
    bool json = false, drop = false;
    double older_than = 0;
  };
  const auto given = std::make_shared<Given>();
  CLI::App* uploads =
      line.add("uploads", "Lists the unfinished multipart uploads of a bucket, which killed programs leave.",
               "  tensortap uploads s3://bucket/runs/\n"
               "  tensortap uploads s3://bucket --drop --older-than 24");
  uploads->add_option("PLACE", given->place, "s3://BUCKET/PREFIX")->required();
  CommandLine::add_json(uploads, given->json, "print one JSON object for each upload");
  uploads->add_flag("--drop", given->drop, "drop them; one that is still being sent then fails");
  uploads->add_option("--older-than", given->older_than, "only those begun more than this many hours ago")
      ->check(is_amount("HOURS"));

  line.on(uploads, [given](std::ostream& out) {
    return tensortap_command::uploads(given->place, given->drop, given->older_than, given->json, out);
  });
}

}  // namespace

void add_copying(CommandLine& line) {
  add_cp(line);
  add_sync(line);
  add_uploads(line);
}

}  // namespace tensortap_command
