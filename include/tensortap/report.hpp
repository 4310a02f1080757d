// The doors of what shows a run to people and to other programs. The commands 'tensortap export' and 'tensortap
// report' are made of these.
#pragma once

#include <tensortap/trace.hpp>  // the library, and traces

#include <tensortap/report/export.hpp>       // report: a run as a table, for spreadsheets, scripts and numpy
#include <tensortap/report/report_page.hpp>  // report: a page that shows runs
#include <tensortap/report/run_report.hpp>   // report: the facts that it shows
#include <tensortap/report/tensorboard.hpp>  // report: a run as event files, for TensorBoard
