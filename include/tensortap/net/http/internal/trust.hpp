// Whose certificates are accepted. Not for users.
#pragma once

#include <openssl/x509_vfy.h>

#include <cstdlib>
#include <memory>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/http_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

struct FreeX509Store {
  void operator()(X509_STORE* store) const noexcept { ::X509_STORE_free(store); }
};
using TrustStore = std::unique_ptr<X509_STORE, FreeX509Store>;

/// A directory that holds no certificates, nor ever will.
inline constexpr const char* no_directory = "/dev/null";

/// The certificates to trust, by `options` and the environment. Made once for all connections of a client: reading them
/// takes longer than a handshake. Null, and `cause`, if they cannot be read: nobody else is trusted then.
inline TrustStore make_trust_store(const HttpOptions& options, std::string& cause) {
  TrustStore store(::X509_STORE_new());
  std::string file = options.ca_file;
  const char* const bundle = std::getenv("AWS_CA_BUNDLE");
  if (file.empty() && options.ca_directory.empty() && bundle != nullptr) file = bundle;
  bool read = store != nullptr;
  // OpenSSL reads SSL_CERT_FILE and SSL_CERT_DIR itself.
  if (read && file.empty() && options.ca_directory.empty()) read = ::X509_STORE_set_default_paths(store.get()) == 1;
  if (read && !file.empty()) read = ::X509_STORE_load_file(store.get(), file.c_str()) == 1;
  if (read && !options.ca_directory.empty())
    read = ::X509_STORE_load_path(store.get(), options.ca_directory.c_str()) == 1;
  if (read) read = ::X509_STORE_load_path(store.get(), no_directory) == 1;  // see TlsClient
  if (read) return store;
  cause = "the certificates to trust cannot be read (" + (file.empty() ? options.ca_directory : file) + ")";
  return nullptr;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
