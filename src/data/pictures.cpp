#include "data/pictures.h"

#include "base/module.h"

namespace trimtab {

const PictureCodec& picture_codec() {
  using Function = const PictureCodec* (*)();
  static const PictureCodec& codec =
      *reinterpret_cast<Function>(find_in_module(TRIMTAB_PICTURES_MODULE, "trimtab_picture_codec"))();
  return codec;
}

}  // namespace trimtab
