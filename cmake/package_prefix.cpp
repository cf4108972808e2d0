// A part of every program that found Trimtab by find_package. It tells Trimtab's libraries where their data are.
extern "C" const char* trimtab_package_prefix();
extern "C" const char* trimtab_package_prefix() { return TRIMTAB_PACKAGE_PREFIX; }
