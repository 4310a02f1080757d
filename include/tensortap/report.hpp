// The doors of what shows a run to people and to other programs. The command 'tensortap export' is made of these.
#pragma once

#include <tensortap/tensortap.hpp>  // the library

#include <tensortap/report/export.hpp>       // report: a run as a table, for spreadsheets, scripts and numpy
#include <tensortap/report/tensorboard.hpp>  // report: a run as event files, for TensorBoard
