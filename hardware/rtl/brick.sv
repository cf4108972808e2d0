// One 2-bit weight digit times one 2-bit activation digit, the element both MACs are made of.
//
// A nested weight 2q+1 is a sum of +-2^j, one term for every stored bit, so a digit of two bits is worth
// +-2 +-1: it needs no term of its own for the "+1/2" of the grid, and a zero activation gives zero.
module brick (
    input  logic [1:0] weight,             // 1: plus, 0: minus
    input  logic       odd,                // the low bit is not there (last digit of an odd number of bits)
    input  logic [1:0] activation,
    input  logic       activation_signed,  // the activation's high bit counts -2
    output logic signed [4:0] product      // -9..9
);
  logic signed [4:0] x;
  logic signed [4:0] twice;
  logic signed [4:0] once;
  assign x = {{3{activation_signed & activation[1]}}, activation};
  assign twice = weight[1] ? x <<< 1 : -(x <<< 1);
  assign once = odd ? 5'sd0 : weight[0] ? x : -x;
  assign product = twice + once;
endmodule
