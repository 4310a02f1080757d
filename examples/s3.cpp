// Keeps a run and its checkpoints in a bucket of S3, or of a server that speaks its language.
//
// usage: s3 s3://BUCKET/PREFIX
// Including <tensortap/net.hpp> in one file of a program and linking tensortap::net is enough: then a Hook and a Trial
// take s3:// addresses. Server, region and credentials come from where the AWS clients find them.
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <tensortap/net.hpp>

namespace tt = tensortap;

void train(const std::string& address) {
  tt::CheckpointSync sync("checkpoints", tt::open_store(address + "/checkpoints"));
  sync.restore();                                  // fetches what an earlier machine has committed
  tt::Hook hook(address + "/run", sync.attach());  // a commit returns when its checkpoint is on S3
  tt::CheckpointFiles checkpoints("checkpoints");
  for (auto step = hook.next_step(); step < 100; ++step) {
    hook.begin_step();
    hook.save("loss", 1.0 / static_cast<double>(step + 1));
    if (step % 50 == 49)
      hook.commit(checkpoints.save(hook.global_step(), [&](const std::string& path) {
        std::ofstream file(path);
        return static_cast<bool>(file << step << std::flush);
      }));
  }
  hook.close();
  std::cout << address << "/run has " << tt::Trial(address + "/run").steps().size() << " steps\n";
}

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cout << "usage: s3 s3://BUCKET/PREFIX\n"
                 "It needs a bucket to write to: AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile\n"
                 "in ~/.aws; and AWS_ENDPOINT_URL_S3 for a server other than Amazon's.\n";
    return 0;
  }
  train(argv[1]);
} catch (const std::exception& e) {
  std::cerr << "s3: " << e.what() << '\n';
  return 1;
}
