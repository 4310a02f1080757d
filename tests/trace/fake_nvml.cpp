// Two GPUs, one of which does not tell its memory.
extern "C" {
int nvmlInit_v2() { return 0; }
int nvmlShutdown() { return 0; }
int nvmlDeviceGetCount_v2(unsigned* count) { return *count = 2, 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  static int devices[2] = {0, 1};
  return *device = &devices[index], 0;
}
int nvmlDeviceGetUtilizationRates(void* device, unsigned* rates) {
  return rates[0] = 40 + static_cast<unsigned>(*static_cast<int*>(device)), rates[1] = 7, 0;
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* memory) {
  if (*static_cast<int*>(device) == 1) return 3;
  return memory[0] = 1000, memory[1] = 750, memory[2] = 250, 0;
}
}
