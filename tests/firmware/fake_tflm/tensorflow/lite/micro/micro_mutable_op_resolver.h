// A stand-in for MicroMutableOpResolver: counts ops, and refuses one too many as the real one does.
#pragma once

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

namespace tflite {

class MicroOpResolver {
  public:
    int added = 0;
};

template <unsigned int tOpCount> class MicroMutableOpResolver : public MicroOpResolver {
  public:
    TfLiteStatus AddConv2D() { return Add(); }
    TfLiteStatus AddFullyConnected() { return Add(); }
    TfLiteStatus AddSoftmax() { return Add(); }

  private:
    TfLiteStatus Add() {
        if (added >= static_cast<int>(tOpCount))
            return kTfLiteError;
        ++added;
        return kTfLiteOk;
    }
};

} // namespace tflite
