/* llmsim.h: the whole public interface. */
#ifndef LLMSIM_H
#define LLMSIM_H

#include "llmsim/catalogue.h"
#include "llmsim/choice.h"
#include "llmsim/compose.h"
#include "llmsim/composed.h"
#include "llmsim/cost.h"
#include "llmsim/device.h"
#include "llmsim/expense.h"
#include "llmsim/fit.h"
#include "llmsim/fitted.h"
#include "llmsim/generate.h"
#include "llmsim/json_document.h"
#include "llmsim/kernels.h"
#include "llmsim/measured.h"
#include "llmsim/nearest.h"
#include "llmsim/plot.h"
#include "llmsim/profiler.h"
#include "llmsim/ratio.h"
#include "llmsim/replay.h"
#include "llmsim/results.h"
#include "llmsim/shape.h"
#include "llmsim/sink.h"
#include "llmsim/stat.h"
#include "llmsim/status.h"
#include "llmsim/sweep.h"
#include "llmsim/time.h"
#include "llmsim/trace.h"
#include "llmsim/validate.h"
#include "llmsim/version.h"

#endif
