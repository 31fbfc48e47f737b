// The Python face of the native part. It knows neither torch nor tasks.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "processor.h"

NB_MODULE(_native, m) {
  m.doc() = "Recurra's native part: what this build and this processor are.";
  m.attr("__version__") = RECURRA_VERSION;
  m.def("processor_features", &recurra::processor_features,
        "Names of the vector extensions that the running processor offers.");
}
