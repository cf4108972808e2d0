// The digits of one row (or column) of four processing elements. Each element has a register for its own digits of
// sixteen lanes; where an operand has more digits on the other side, elements share: `count` neighbours use the digits of
// the first of them, and only that one's register is clocked. Elements without work get zeros, so that nothing toggles.
module share_digits (
    input  logic         clock,
    input  logic         load,
    input  logic         used,      // this row (column) takes part at all
    input  logic [2:0]   count,     // elements that share one set of digits: 1, 2, 3 or 4; with 3 the fourth rests
    input  logic [127:0] digits,    // of elements 3..0
    output logic [127:0] shared
);
  logic [31:0] own0, own1, own2, own3;
  always_ff @(posedge clock) if (load && used) own0 <= digits[31:0];
  always_ff @(posedge clock) if (load && used && count == 3'd1) own1 <= digits[63:32];
  always_ff @(posedge clock) if (load && used && count <= 3'd2) own2 <= digits[95:64];
  always_ff @(posedge clock) if (load && used && count == 3'd1) own3 <= digits[127:96];

  assign shared[31:0] = {32{used}} & own0;
  assign shared[63:32] = {32{used && count == 3'd1}} & own1 | {32{used && count != 3'd1}} & own0;
  assign shared[95:64] = {32{used && count <= 3'd2}} & own2 | {32{used && count >= 3'd3}} & own0;
  assign shared[127:96] = {32{used && count == 3'd1}} & own3 | {32{used && count == 3'd2}} & own2 |
                          {32{used && count == 3'd4}} & own0;
endmodule
