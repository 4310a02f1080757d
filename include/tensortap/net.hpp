// Everything that opens a socket. With this header in one source file of a program, and tensortap::net linked, open_store,
// Hook and Trial accept "s3://BUCKET/PREFIX". It includes <tensortap/tensortap.hpp>, which needs no network.
#pragma once

#include <tensortap/tensortap.hpp>

#include <tensortap/net/http/url.hpp>                 // HTTP: URLs
#include <tensortap/net/http/http_message.hpp>        //       requests and replies
#include <tensortap/net/http/http_options.hpp>        //       connections, certificates, proxies
#include <tensortap/net/http/http_client.hpp>         //       the client
#include <tensortap/net/aws/credentials.hpp>          // AWS:  credentials
#include <tensortap/net/aws/credentials_options.hpp>  //       how they are found
#include <tensortap/net/aws/default_credentials.hpp>  //       the chain of AWS's tools
#include <tensortap/net/s3/s3_options.hpp>            // S3:   options, observers of transfers
#include <tensortap/net/s3/s3_store.hpp>              //       a store in a bucket
