// The same program as C++: the headers have to serve both.
#include "consumer.c"
