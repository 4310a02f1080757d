// Finds the credentials that AWS's own tools would find, in their order: given ones, the environment, the profile files
// (which may run a credential_process), a web identity, the role of the container, the role of the machine.
//
//   tensortap::HttpClient client;
//   const auto transport = [&client](const tensortap::HttpRequest& request) { return client(request); };
//   const tensortap::Credentials credentials = tensortap::find_credentials({.transport = transport});
#pragma once

#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials.hpp>
#include <tensortap/net/aws/credentials_options.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Returns the first credentials of the chain. If the environment or the profile names a provider that then fails, the
/// search ends with an error: it does not continue with other credentials. A profile in the options comes before the
/// environment. Throws: there are none; the message has the cause of each provider.
Credentials find_credentials(const CredentialsOptions& options);

/// Returns a source that calls find_credentials(options) each time.
CredentialsSource default_credentials(CredentialsOptions options = {});

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/net/aws/internal/default_credentials_impl.hpp>
#endif
