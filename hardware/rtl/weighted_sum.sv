// Four terms, each shifted left by an even number of bits: the sum over one row of processing elements, or of the rows.
// `shift` holds half the shift of terms 3..0; unused terms are masked.
module weighted_sum #(
    parameter int IN = 9,
    parameter int OUT = 17
) (
    input  logic [4*IN-1:0] terms,
    input  logic [7:0]      shift,
    input  logic [3:0]      used,
    output logic signed [OUT-1:0] sum
);
  // Widened before they are shifted; masked, so that a resting element costs nothing.
  logic signed [OUT-1:0] term0, term1, term2, term3;
  assign term0 = {{(OUT - IN) {terms[IN-1]}}, terms[0+:IN]} & {OUT{used[0]}};
  assign term1 = {{(OUT - IN) {terms[2*IN-1]}}, terms[IN+:IN]} & {OUT{used[1]}};
  assign term2 = {{(OUT - IN) {terms[3*IN-1]}}, terms[2*IN+:IN]} & {OUT{used[2]}};
  assign term3 = {{(OUT - IN) {terms[4*IN-1]}}, terms[3*IN+:IN]} & {OUT{used[3]}};
  assign sum = (term0 <<< {shift[1:0], 1'b0}) + (term1 <<< {shift[3:2], 1'b0}) + (term2 <<< {shift[5:4], 1'b0}) +
               (term3 <<< {shift[7:6], 1'b0});
endmodule
