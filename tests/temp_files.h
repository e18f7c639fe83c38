/* temp_files.h: the former name of support/files.h. */
#include "support/files.h"
