// Certificates that the tests make, and servers that show them.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

/// A self-signed certificate with its key.
class Certificate {
 public:
  /// `names` as in OpenSSL's configuration, "DNS:localhost,IP:127.0.0.1". Units: seconds from now.
  explicit Certificate(const std::string& names, long from = -60, long until = 3600)
      : key_(::EVP_EC_gen("P-256")), certificate_(::X509_new()) {
    X509* const it = certificate_.get();
    ::X509_set_version(it, 2);
    ::ASN1_INTEGER_set(::X509_get_serialNumber(it), 1);
    ::X509_gmtime_adj(::X509_getm_notBefore(it), from);
    ::X509_gmtime_adj(::X509_getm_notAfter(it), until);
    ::X509_set_pubkey(it, key_.get());
    // The common name is that of the host, where clients must not look for it.
    ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(it), "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>("127.0.0.1"), -1, -1, 0);
    ::X509_set_issuer_name(it, ::X509_get_subject_name(it));
    X509_EXTENSION* const extension = ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    ::X509_add_ext(it, extension, -1);
    ::X509_EXTENSION_free(extension);
    ::X509_sign(it, key_.get(), ::EVP_sha256());
  }

  /// Writes the file for clients that trust it.
  void write(const std::string& path) const {
    BIO* const file = ::BIO_new_file(path.c_str(), "w");
    ::PEM_write_bio_X509(file, certificate_.get());
    ::BIO_free(file);
  }

  /// Returns a context for servers that show it.
  [[nodiscard]] std::shared_ptr<SSL_CTX> context() const {
    std::shared_ptr<SSL_CTX> context(::SSL_CTX_new(::TLS_server_method()), ::SSL_CTX_free);
    ::SSL_CTX_use_certificate(context.get(), certificate_.get());
    ::SSL_CTX_use_PrivateKey(context.get(), key_.get());
    return context;
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { ::X509_free(certificate); }
  };
  std::unique_ptr<EVP_PKEY, Free> key_;
  std::unique_ptr<X509, Free> certificate_;
};
