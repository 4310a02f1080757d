// What speaks to a network: with this in one source file of a program, and tensortap::net linked, open_store, Hook and
// Trial take "s3://BUCKET/PREFIX". Everything else is <tensortap/tensortap.hpp>, which this includes.
#pragma once

#include <tensortap/tensortap.hpp>  // all that needs no network

#include <tensortap/net/http/http_client.hpp>             // HTTP: connections, deadlines, certificates
#include <tensortap/net/aws/default_credentials.hpp>  // S3: whom to be
#include <tensortap/net/s3/s3_options.hpp>              //     how it is configured
#include <tensortap/net/s3/s3_store.hpp>             //     a bucket
