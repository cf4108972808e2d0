#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "base/index.h"
#include "base/random.h"
#include "data/parallel.h"
#include "data/sources.h"

// Everything here is integer arithmetic: the pictures are the same, bit for bit, on every machine.

namespace trimtab {

namespace {

constexpr std::int64_t side = 32;             ///< of a picture, in pixels
constexpr std::int64_t subpixel = 256;        ///< positions are in 1/256 pixel
constexpr std::int64_t unit = 1024;           ///< radius of a shape in its own coordinates
constexpr std::int64_t direction_one = 4096;  ///< length of a direction vector

struct Point {
  std::int64_t x = 0;
  std::int64_t y = 0;
};

using Colour = std::array<std::int64_t, 3>;

std::int64_t squared(std::int64_t x) { return x * x; }
std::int64_t squared(Point p) { return squared(p.x) + squared(p.y); }

/// A direction of length direction_one, every quadrant as likely. The point ((1-t^2), 2t) / (1+t^2) lies on the circle.
Point random_direction(Random& random) {
  constexpr std::int64_t steps = 1024;
  const std::int64_t t = random.integer(0, steps - 1);
  const std::int64_t denominator = squared(steps) + squared(t);
  Point p{(squared(steps) - squared(t)) * direction_one / denominator, 2 * steps * t * direction_one / denominator};
  for (std::int64_t turns = random.integer(0, 3); turns > 0; --turns) p = {-p.y, p.x};
  return p;
}

// Outlines in own coordinates, y down.
constexpr std::array<Point, 3> triangle_corners{{{0, -1000}, {866, 500}, {-866, 500}}};
constexpr std::array<Point, 10> star_corners{{{0, -1024},
                                              {253, -348},
                                              {974, -316},
                                              {409, 133},
                                              {602, 828},
                                              {0, 430},
                                              {-602, 828},
                                              {-409, 133},
                                              {-974, -316},
                                              {-253, -348}}};
constexpr std::array<Point, 8> tee_corners{
    {{-850, -850}, {850, -850}, {850, -290}, {280, -290}, {280, 900}, {-280, 900}, {-280, -290}, {-850, -290}}};

/// Even-odd rule.
bool inside_polygon(std::span<const Point> corners, Point p) {
  bool inside = false;
  for (std::size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
    const Point a = corners[i];
    const Point b = corners[j];
    if ((a.y > p.y) == (b.y > p.y)) continue;
    const std::int64_t cross = (b.x - a.x) * (p.y - a.y) - (p.x - a.x) * (b.y - a.y);
    if ((cross > 0) == (b.y > a.y)) inside = !inside;
  }
  return inside;
}

/// Index of the band of the given width in which x lies.
std::int64_t band(std::int64_t x, std::int64_t width) { return (x + 16 * width) / width; }

enum class Kind : std::uint8_t { disc, ring, crescent, triangle, square, star, cross, tee, stripes, checker };
constexpr std::array<const char*, 10> shape_names{"disc", "ring",  "crescent", "triangle", "square",
                                                  "star", "cross", "tee",      "stripes",  "checker"};

/// Whether the shape covers the point of its own coordinates.
bool covers(Kind kind, Point p) {
  const std::int64_t distance = squared(p);
  if (distance > squared(unit)) return false;
  const std::int64_t longest = std::max(std::abs(p.x), std::abs(p.y));
  const std::int64_t shortest = std::min(std::abs(p.x), std::abs(p.y));
  switch (kind) {
    case Kind::disc:
      return distance <= squared(820);
    case Kind::ring:
      return distance <= squared(960) && distance >= squared(520);
    case Kind::crescent:
      return distance <= squared(980) && squared(Point{p.x - 480, p.y}) > squared(800);
    case Kind::triangle:
      return inside_polygon(triangle_corners, p);
    case Kind::square:
      return longest <= 720;
    case Kind::star:
      return inside_polygon(star_corners, p);
    case Kind::cross:
      return longest <= 980 && shortest <= 260;
    case Kind::tee:
      return inside_polygon(tee_corners, p);
    case Kind::stripes:
      return band(p.y, 300) % 2 == 0;
    case Kind::checker:
      return (band(p.x, 370) + band(p.y, 370)) % 2 == 0;
  }
  return false;
}

Colour random_colour(Random& random) {
  return {random.integer(0, 255), random.integer(0, 255), random.integer(0, 255)};
}

/// A colour that differs from `other` by at least `contrast`, summed over the channels.
Colour contrasting_colour(Random& random, const Colour& other, std::int64_t contrast) {
  while (true) {
    const Colour colour = random_colour(random);
    std::int64_t difference = 0;
    for (std::size_t c = 0; c < 3; ++c) difference += std::abs(colour[c] - other[c]);
    if (difference >= contrast) return colour;
  }
}

class Picture {
 public:
  /// A gradient between two near colours in a random direction.
  void fill(Random& random, const Colour& colour) {
    const Colour slope{random.integer(-40, 40), random.integer(-40, 40), random.integer(-40, 40)};
    const Point direction = random_direction(random);
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        const std::int64_t along = ((2 * x - side) * direction.x + (2 * y - side) * direction.y) / direction_one;
        for (std::size_t c = 0; c < 3; ++c) at(x, y)[c] = colour[c] + slope[c] * along / side;
      }
    }
  }

  /// A line of the given half width (in 1/256 pixel), its ends anywhere.
  void draw_line(Random& random, const Colour& colour) {
    const Point middle = random_position(random, 0);
    const Point direction = random_direction(random);
    const std::int64_t half_length = random.integer(3, 9) * subpixel;
    const std::int64_t half_width = random.integer(80, 200);
    draw(middle, half_length + half_width, colour, [&](Point p) {
      const std::int64_t along = (p.x * direction.x + p.y * direction.y) / direction_one;
      const std::int64_t across = (p.y * direction.x - p.x * direction.y) / direction_one;
      return std::abs(along) <= half_length && std::abs(across) <= half_width;
    });
  }

  void draw_speck(Random& random, const Colour& colour) {
    const std::int64_t radius = random.integer(200, 500);
    draw(random_position(random, 0), radius, colour, [&](Point p) { return squared(p) <= squared(radius); });
  }

  void draw_shape(Random& random, Kind kind, const Colour& colour) {
    const std::int64_t radius = random.integer(8 * subpixel, 13 * subpixel);
    const Point centre = random_position(random, radius - subpixel);
    const Point direction = random_direction(random);
    draw(centre, radius, colour, [&](Point p) {
      const Point own{(p.x * direction.x + p.y * direction.y) * unit / (direction_one * radius),
                      (p.y * direction.x - p.x * direction.y) * unit / (direction_one * radius)};
      return covers(kind, own);
    });
  }

  /// Adds noise of triangular distribution, up to `amplitude`, and stores channel after channel.
  void store(Random& random, std::int64_t amplitude, std::span<std::uint8_t> out) {
    for (std::size_t i = 0; i < pixels_.size(); ++i) {
      std::uint64_t bits = random.bits();
      for (std::size_t c = 0; c < 3; ++c) {
        const auto noise = static_cast<std::int64_t>(bits & 0xFFU) - static_cast<std::int64_t>((bits >> 8U) & 0xFFU);
        bits >>= 16U;
        const std::int64_t value = pixels_[i][c] + noise * amplitude / 256;
        out[c * pixels_.size() + i] = static_cast<std::uint8_t>(std::clamp<std::int64_t>(value, 0, 255));
      }
    }
  }

 private:
  Colour& at(std::int64_t x, std::int64_t y) { return nth(pixels_, y * side + x); }

  static Point random_position(Random& random, std::int64_t margin) {
    const std::int64_t x = random.integer(margin, side * subpixel - margin);
    return {x, random.integer(margin, side * subpixel - margin)};
  }

  /// Blends the colour over the points, relative to `centre` and at most `radius` away, that `covered` tells; four
  /// samples per pixel.
  template <typename Covered>
  void draw(Point centre, std::int64_t radius, const Colour& colour, const Covered& covered) {
    const auto first = [&](std::int64_t c) { return std::clamp((c - radius) / subpixel, std::int64_t{0}, side - 1); };
    const auto last = [&](std::int64_t c) { return std::clamp((c + radius) / subpixel, std::int64_t{0}, side - 1); };
    for (std::int64_t y = first(centre.y); y <= last(centre.y); ++y) {
      for (std::int64_t x = first(centre.x); x <= last(centre.x); ++x) {
        std::int64_t hits = 0;
        for (std::int64_t sample = 0; sample < 4; ++sample) {
          const Point p{x * subpixel + 64 + 128 * (sample % 2) - centre.x,
                        y * subpixel + 64 + 128 * (sample / 2) - centre.y};
          if (covered(p)) ++hits;
        }
        Colour& pixel = at(x, y);
        for (std::size_t c = 0; c < 3; ++c) pixel[c] += (colour[c] - pixel[c]) * hits / 4;
      }
    }
  }

  std::array<Colour, static_cast<std::size_t>(side* side)> pixels_{};
};

void generate_picture(Random random, Kind kind, std::span<std::uint8_t> out) {
  Picture picture;
  const Colour background = random_colour(random);
  picture.fill(random, background);
  const auto clutter = [&](std::int64_t most) {
    for (std::int64_t i = random.integer(0, most); i > 0; --i) {
      const Colour colour = random_colour(random);
      if (random.integer(0, 1) == 0) {
        picture.draw_line(random, colour);
      } else {
        picture.draw_speck(random, colour);
      }
    }
  };
  clutter(5);
  picture.draw_shape(random, kind, contrasting_colour(random, background, 150));
  clutter(1);
  picture.store(random, random.integer(10, 50), out);
}

}  // namespace

Dataset generate_shapes(std::int64_t count, Split split, std::uint64_t seed) {
  Dataset data;
  data.shape = {3, side, side};
  data.classes.assign(shape_names.begin(), shape_names.end());
  const auto picture_size = static_cast<std::size_t>(element_count(data.shape));
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count) * picture_size);
  data.labels.resize(static_cast<std::size_t>(count));
  // Every picture has random numbers of its own: the first n are the same whatever `count` is.
  const std::uint64_t base = Random(seed * 2 + (split == Split::test ? 1 : 0)).bits();
  parallel_for(count, [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    const std::size_t label = index % shape_names.size();
    data.labels[index] = static_cast<std::int64_t>(label);
    generate_picture(Random(Random(base + index).bits()), static_cast<Kind>(label),
                     std::span(pixels).subspan(index * picture_size, picture_size));
  });
  data.pixels = {std::move(pixels), element_count(data.shape)};
  return data;
}

}  // namespace trimtab
