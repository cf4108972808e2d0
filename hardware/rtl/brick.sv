// One 2-bit weight digit times one 2-bit activation digit, the element both MACs are made of: AND gates, whose results
// are summed by dot16.
//
// A nested weight 2q+1 is a sum of +-2^j, one term for every stored bit, so a digit of two bits d is worth 2d - 3, that is
//     -4 * !d1 + 2 * d0 + 1
// and needs no term of its own for the "+1/2" of the grid. A last digit of which only the high bit is there (odd number of
// bits) is worth +-2, that is -4 * !d1 + 2. Terms that are subtracted are inverted, which leaves a constant to the sum;
// a zero activation gives constants, so that nothing toggles.
module brick (
    input  logic [1:0] weight,
    input  logic       odd,
    input  logic [1:0] activation,
    input  logic       activation_signed,  // the activation's high bit counts -2
    output logic [2:0] low,                // of the activation's low bit: terms of 4 (inverted), 2, 1
    output logic [2:0] high                // of its high bit: terms of 8 (inverted), 4, 2; signed: the others inverted
);
  logic [2:0] terms;
  assign terms = {~weight[1], weight[0] | odd, ~odd};
  assign low = {3{activation[0]}} & terms ^ 3'b100;
  assign high = {3{activation[1]}} & terms ^ {~activation_signed, activation_signed, activation_signed};
endmodule
