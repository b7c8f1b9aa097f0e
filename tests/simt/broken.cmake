# Kernels broken on purpose: if the tests do not notice each of them, they prove nothing about the real kernel. A copy
# differs from its kernel in one place. If the kernel does not contain this place exactly once, the test fails.

# broken(name, test, kernel files, the file to break, the right text in it, the wrong text)
function(broken name test sources file good bad)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${kernels}/${file})
  set(target simt_broken_${name})
  file(READ ${kernels}/${file} text)
  string(FIND "${text}" "${good}" first)
  string(FIND "${text}" "${good}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(WARNING "tests/simt/broken.cmake: ${name}: cuda/${file} does not hold its text exactly once")
    add_test(NAME ${target} COMMAND ${CMAKE_COMMAND} -E false)
    return()
  endif()
  string(REPLACE "${good}" "${bad}" text "${text}")
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/broken/${name})
  file(CONFIGURE OUTPUT ${folder}/cuda/${file} CONTENT "${text}" @ONLY)

  set(paths)
  foreach(source ${sources})
    if(source STREQUAL file)
      list(APPEND paths ${folder}/cuda/${source})
    else()
      list(APPEND paths ${kernels}/${source})
    endif()
  endforeach()
  simt_program(${target} test_${test}.c ${paths})
  target_include_directories(${target} BEFORE PRIVATE ${folder})
  target_compile_options(${target} PRIVATE -O1)
  add_test(NAME ${target} COMMAND ${target} --broken)
  set_tests_properties(${target} PROPERTIES
    PASS_REGULAR_EXPRESSION "FAILED TEST|ERROR: AddressSanitizer|runtime error")
endfunction()

# --- Attention ---------------------------------------------------------------------------------------------
broken(attention_tile_barrier attention attention.cu attention.cu
  [[__syncthreads(); /* tile j is here]]
  [[/* tile j is here]])
broken(attention_queries_barrier attention attention.cu attention.cu
  [[__syncthreads(); /* every warp has its queries]]
  [[/* every warp has its queries]])
broken(attention_results_barrier attention attention.cu attention.cu
  [[__syncthreads(); /* no warp needs the last tile any more]]
  [[/* no warp needs the last tile any more]])
broken(attention_wait attention attention.cu attention.cu
  [[cp_async_wait();
      __syncthreads();]]
  [[__syncthreads();]])
broken(attention_key_border attention attention.cu attention.cu
  [[i % 2 >= present]]
  [[i % 2 > present]])
broken(attention_query_border attention attention.cu attention.cu
  [[if (row < present) store16]]
  [[if (row <= present) store16]])
broken(attention_key_lane attention attention.cu attention.cu
  [[16 * n + lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2]]
  [[16 * n + lane % 16, 2 * k + lane / 16]])
broken(attention_value_lane attention attention.cu attention.cu
  [[ldmatrix_x4_trans(values,]]
  [[ldmatrix_x4(values,]])
broken(attention_result_lane attention attention.cu attention.cu
  [[8 * r + lane / 4, n)]]
  [[8 * r + lane % 8, n)]])
broken(attention_shrink attention attention.cu attention.cu
  [[own.sum[m][n][i] *= shrink]]
  [[own.sum[m][n][i] *= 1]])
broken(attention_fused_logit attention attention.cu attention.cu
  [[exp2_fast((s[m][n][i] - peak) * scale)]]
  [[exp2_fast(fmaf(s[m][n][i], scale, -(peak * scale)))]])
broken(attention_swizzle attention attention.cu attention.cu
  [[(chunk ^ (row / layout<D>::line_rows & layout<D>::mix))]]
  [[chunk]])

# --- Attention's tiles -------------------------------------------------------------------------------------
broken(tiles_barrier tiles attention_tiles.cu attention_tiles.cu
  [[__syncthreads(); /* all threads have read what the next line changes */]]
  [[]])
broken(tiles_border tiles attention_tiles.cu attention_tiles.cu
  [[(tokens + rows - 1) / rows]]
  [[tokens / rows + 1]])

# --- Embedding and LayerNorm -------------------------------------------------------------------------------
set(norm_files embedding.cu layer_norm.cu)
broken(norm_border norm "${norm_files}" row_norm.h
  [[row_column(c, lane) < hidden ? row.x[c][i] - mean : 0]]
  [[row.x[c][i] - mean]])
broken(norm_row_border norm "${norm_files}" layer_norm.cu
  [[if (token >= tokens) return;]]
  [[if (token > tokens) return;]])
broken(norm_lanes norm "${norm_files}" device.h
  [[int distance = WARP_LANES / 2;]]
  [[int distance = WARP_LANES / 4;]])
broken(embedding_sequence_border norm "${norm_files}" embedding.cu
  [[offsets[middle] <= token]]
  [[offsets[middle] < token]])
broken(embedding_padding norm "${norm_files}" embedding.cu
  [[token - first - warp_sum(passed_over)]]
  [[token - first - passed_over]])

# --- Pooling -----------------------------------------------------------------------------------------------
set(pool_files first_rows.cu pool.cu)
broken(pool_sum_barrier pool "${pool_files}" pool.cu
  [[groups_sum(state, hidden, span, columns, groups, x);
  __syncthreads();]]
  [[groups_sum(state, hidden, span, columns, groups, x);]])
broken(pool_mean_barrier pool "${pool_files}" pool.cu
  [[groups_mean(columns, groups, span.count, x);
    __syncthreads();]]
  [[groups_mean(columns, groups, span.count, x);]])
broken(pool_lanes pool "${pool_files}" pool.cu
  [[int distance = 1; distance < SUM_LANES;]]
  [[int distance = 1; distance < SUM_LANES / 2;]])
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU") # Clang's sanitizer does not check the alignment of a copied struct
  broken(pool_alignment pool "${pool_files}" pool.cu
    [[width % CHUNK == 0 ? width : 0]]
    [[width / CHUNK * CHUNK]])
endif()
broken(pool_verdict_infinity pool "${pool_files}" pool.cu
  [[!(squares_widest < static_cast<double>(INFINITY))]]
  [[squares_widest != squares_widest]])
broken(pool_verdict_width pool "${pool_files}" pool.cu
  [[verdict_of(squares, narrowest)]]
  [[verdict_of(squares, fma(narrowest, 0.0, squares))]])
broken(pool_verdict_warp pool "${pool_files}" pool.cu
  [[(widths.count - 2) % WARPS]]
  [[(widths.count - 1) % WARPS]])
broken(first_rows_border pool "${pool_files}" first_rows.cu
  [[if (i >= static_cast]]
  [[if (i > static_cast]])

# --- Pooling in several modes, and activations -------------------------------------------------------------
set(pool_modes_files activate.cu pool_modes.cu)
broken(pool_modes_fold_barrier pool_modes "${pool_modes_files}" pool_modes.cu
  [[__syncthreads(); /* all groups' results are there */]]
  [[]])
broken(pool_modes_mode_barrier pool_modes "${pool_modes_files}" pool_modes.cu
  [[__syncthreads(); /* the next mode overwrites the groups' results */]]
  [[]])
broken(pool_modes_weight pool_modes "${pool_modes_files}" pool_modes.cu
  [[static_cast<float>(t + 1)]]
  [[static_cast<float>(t)]])
broken(pool_modes_nan pool_modes "${pool_modes_files}" pool_modes.cu
  [[x > result || isnan(x) ? x : result]]
  [[x > result ? x : result]])
broken(pool_modes_first pool_modes "${pool_modes_files}" pool_modes.cu
  [[F == FOLD_MAX ? -INFINITY : 0.0f]]
  [[0.0f]])
broken(pool_modes_prompt_weights pool_modes "${pool_modes_files}" pool_modes.cu
  [[(all - left_out) / 2]]
  [[(all - 0 * left_out) / 2]])
broken(pool_modes_empty pool_modes "${pool_modes_files}" pool_modes.cu
  [[left <= 0 &&]]
  [[left < 0 &&]])
broken(activate_border pool_modes "${pool_modes_files}" activate.cu
  [[if (i >= chunks) return;]]
  [[if (i > chunks) return;]])
broken(activate_relu pool_modes "${pool_modes_files}" activate.cu
  [[x < 0 ? 0.0f : x]]
  [[x > 0 ? x : 0.0f]])

# --- Search ------------------------------------------------------------------------------------------------
set(top_k_files top_k_rows.cu top_k_score.cu top_k_select.cu)
broken(top_k_rows_lanes top_k "${top_k_files}" top_k_rows.cu
  [[int distance = 1; distance < LANES;]]
  [[int distance = 1; distance < LANES / 2;]])
broken(top_k_rows_border top_k "${top_k_files}" top_k_rows.cu
  [[i < width ? half_load(from + i) * scale : 0.0f]]
  [[half_load(from + i) * scale]])
broken(top_k_rows_present top_k "${top_k_files}" top_k_rows.cu
  [[const bool present = place < rows;]]
  [[const bool present = place <= rows;]])
broken(top_k_select_slack top_k "${top_k_files}" top_k_select.cu
  [[fmaf(slack, norm, score) < least]]
  [[fmaf(slack, -norm, score) < least]])
broken(top_k_select_nan top_k "${top_k_files}" top_k_select.cu
  [[!(fmaf(slack, norm, score) < least)]]
  [[fmaf(slack, norm, score) >= least]])
broken(top_k_select_broken_passage top_k "${top_k_files}" top_k_select.cu
  [[first < queries && length == length]]
  [[first < queries]])
broken(top_k_select_query_border top_k "${top_k_files}" top_k_select.cu
  [[first + 1 < queries && may]]
  [[first + 1 <= queries && may]])
broken(top_k_select_place top_k "${top_k_files}" top_k_select.cu
  [[static_cast<uint32_t>(before - own)]]
  [[static_cast<uint32_t>(before)]])
broken(top_k_select_room top_k "${top_k_files}" top_k_select.cu
  [[if (place < capacity)]]
  [[if (place <= capacity)]])
broken(top_k_score_order top_k "${top_k_files}" top_k_score.cu
  [[sum = fmaf(x[k], y[k], sum)]]
  [[sum = fmaf(x[CHUNK - 1 - k], y[CHUNK - 1 - k], sum)]])
broken(top_k_score_border top_k "${top_k_files}" top_k_score.cu
  [[if (i >= count) return;]]
  [[if (i > count) return;]])
broken(top_k_score_bound top_k "${top_k_files}" top_k_score.cu
  [=[slack[pair.query] * norm[pair.passage]]=]
  [=[slack[pair.query] / norm[pair.passage]]=])
broken(top_k_score_astray top_k "${top_k_files}" top_k_score.cu
  [[!(fabsf(product - exact) <= bound)]]
  [[fabsf(product - exact) > bound]])
