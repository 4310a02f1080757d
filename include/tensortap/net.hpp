// The doors that use a network. In a program that includes this in one source file and links tensortap::net,
// open_store(), Hook and Trial take "s3://BUCKET/PREFIX".
#pragma once

#include <tensortap/tensortap.hpp>  // everything that needs no network

#include <tensortap/net/http/http_client.hpp>   // HTTP: connections, deadlines, certificates
#include <tensortap/net/http/http_message.hpp>  //       requests and replies
#include <tensortap/net/http/http_options.hpp>  //       how they are made
#include <tensortap/net/http/url.hpp>           //       addresses

#include <tensortap/net/aws/credentials.hpp>          // AWS: credentials
#include <tensortap/net/aws/credentials_options.hpp>  //      where they are found
#include <tensortap/net/aws/default_credentials.hpp>  //      the chain of providers

#include <tensortap/net/cloud/cloud_notice.hpp>          // clouds: what they announce
#include <tensortap/net/cloud/cloud_notice_options.hpp>  //         how they are asked
#include <tensortap/net/cloud/cloud_notice_watcher.hpp>  //         a stop before the machine goes

#include <tensortap/net/webhook/webhook.hpp>  // findings, posted to a web server

#include <tensortap/net/s3/s3_options.hpp>  // S3: configuration
#include <tensortap/net/s3/s3_store.hpp>    //     a bucket
